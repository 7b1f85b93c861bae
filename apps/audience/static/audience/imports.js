// The upload with a bar, and by dropping the file; without this script the form is sent as any other.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
    const form = document.querySelector("[data-upload]");
    if (!form) return;
    const input = form.querySelector("input[type=file]");
    const drop = form.querySelector(".i-drop");
    const name = drop.querySelector("span:last-child");
    const progress = form.querySelector("[data-progress]");
    const said = (text) => { progress.querySelector("output").textContent = text; };
    // before it reaches the field: the admin theme's own listener there looks for a field that this page does not have
    form.addEventListener("change", (event) => {
        if (event.target !== input) return;
        event.stopPropagation();
        if (input.files[0]) name.textContent = input.files[0].name;
    }, true);
    for (const kind of ["dragover", "dragleave", "drop"]) drop.addEventListener(kind, (event) => {
        event.preventDefault();
        drop.classList.toggle("is-over", kind === "dragover");
        if (kind === "drop" && event.dataTransfer.files.length) {
            input.files = event.dataTransfer.files;
            input.dispatchEvent(new Event("change", { bubbles: true }));
        }
    });
    form.addEventListener("submit", (event) => {
        event.preventDefault();
        const request = new XMLHttpRequest();
        const button = form.querySelector("button[type=submit]");
        progress.hidden = false;
        button.disabled = true;
        request.upload.addEventListener("progress", (at) => {
            if (!at.lengthComputable) return;
            const percent = Math.floor((100 * at.loaded) / at.total);
            progress.querySelector("progress").value = percent;
            said(percent < 100 ? `${percent} % uploaded` : "The last rows are being stored");
        });
        request.addEventListener("load", () => {
            if (request.status === 200) { location.assign(request.responseURL); return; }
            if (request.status !== 422) { button.disabled = false; said(`The server answered ${request.status}. Nothing was stored; try again.`); return; }
            const page = new DOMParser().parseFromString(request.responseText, "text/html");
            document.querySelector("#problem")?.remove();
            const problem = page.querySelector("#problem");
            form.before(problem);
            problem.scrollIntoView({ block: "nearest" });
            button.disabled = false;
            progress.hidden = true;
        });
        request.addEventListener("error", () => { button.disabled = false; said("The connection broke. Nothing was stored; try again."); });
        request.open("POST", form.action);
        request.send(new FormData(form));
    });
});
