// What the composer adds to htmx: nothing typed is lost on the way to another tab, and no save overtakes another.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
    document.body.addEventListener("htmx:afterSettle", mark);
    mark();
    const form = document.getElementById("part");
    if (!form || !form.hasAttribute("hx-post")) return;
    let isDirty = false, isBusy = false, waiting = null;

    form.addEventListener("input", () => { isDirty = true; });

    // the builder says its rules once when it is made: that is no change of anybody's
    let rules = null;
    form.addEventListener("rules-changed", (event) => {
        const before = rules;
        rules = event.target.value;
        if (before === null || before === rules) return;
        isDirty = true;
        form.dispatchEvent(new CustomEvent("rules-touched"));
    });

    function submit(button, go) {
        form.querySelector("[name=go]").value = go || "";
        if (button) form.requestSubmit(button);
        else form.requestSubmit();
    }

    form.addEventListener("submit", (event) => {
        if (isBusy) {
            event.preventDefault();
            waiting = event.submitter;
        }
    });

    document.body.addEventListener("click", (event) => {
        const link = event.target.closest("a[data-tab]");
        if (!link || !isDirty || event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        submit(null, link.dataset.tab);
    });

    form.addEventListener("htmx:beforeRequest", (event) => {
        if (event.target !== form) return;
        isBusy = true;
        isDirty = false;
    });
    form.addEventListener("htmx:afterRequest", (event) => {
        if (event.target !== form) return;
        isBusy = false;
        const saved = document.getElementById("saved");
        const { successful, xhr } = event.detail;
        if (!successful || !xhr.responseText.includes('id="saved"')) {
            isDirty = true;
            saved.textContent = successful
                ? "Not saved: you are signed out. Sign in in another window, and change something again."
                : "Not saved: the server does not answer. It is tried again with your next change.";
            saved.classList.add("n-bad");
        } else if (saved.querySelector(".n-bad")) isDirty = true;
        else if (waiting === null) saved.classList.remove("n-bad");
        if (waiting !== null) {
            const button = waiting;
            waiting = null;
            submit(button, form.querySelector("[name=go]").value);
        }
    });

    addEventListener("beforeunload", (event) => { if (isDirty && !isBusy && document.querySelector("#saved .n-bad")) event.preventDefault(); });
});

function mark() {
    document.querySelectorAll(".c-wrong[data-for]").forEach((line) => {
        const field = document.getElementById(line.dataset.for);
        if (!field) return;
        const isWrong = line.textContent.trim() !== "";
        field.toggleAttribute("aria-invalid", isWrong);
        if (isWrong) {
            field.setAttribute("aria-invalid", "true");
            field.setAttribute("aria-errormessage", line.id);
        }
    });
    document.querySelectorAll("time[data-moment]").forEach((time) => {
        time.title = time.title || time.textContent;
        time.textContent = new Date(time.dateTime).toLocaleString([], { weekday: "short", day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit" });
    });
    document.querySelectorAll("time[data-clock]").forEach((time) => {
        const shape = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
        const at = new Date(time.dateTime);
        time.textContent = Date.now() - at < 8e7 ? at.toLocaleTimeString([], shape) : at.toLocaleString();
    });
}
