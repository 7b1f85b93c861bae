// The template editor: variants as tabs, a preview that follows what is typed, a draft that saves itself. Without scripts the page is
// one long form that does the same in more steps.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
    const form = document.querySelector("[data-studio]");
    if (!form) return;
    const find = (name, from = form) => from.querySelector(`[data-${name}]`);
    const sections = [...form.querySelectorAll("[data-variant]")];
    const at = form.elements.at;
    const known = JSON.parse(document.getElementById("completions").textContent);
    const state = find("state");
    const wait = 300;
    const pause = 1500;

    function later(milliseconds, run) {
        let timer = 0;
        return () => { clearTimeout(timer); timer = setTimeout(run, milliseconds); };
    }

    async function ask(url, options = {}) {
        const answer = await fetch(url, { credentials: "same-origin", redirect: "error", ...options });
        return [answer.status, await answer.json()];
    }

    // Tabs: channels, and the locales of the one that is chosen
    const localeOf = (section) => section.querySelector("[name$='-locale']").value.trim();

    function tab(text, attributes, run) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "n-tab";
        button.textContent = text;
        Object.entries(attributes).forEach(([name, value]) => button.setAttribute(name, value));
        button.addEventListener("click", run);
        return button;
    }

    function show(place, { focus = "" } = {}) {
        const section = sections[place];
        if (!section) return;
        at.value = place;
        const channel = section.dataset.channel;
        const names = [...new Set(sections.map((one) => one.dataset.channel))];
        find("channels").replaceChildren(...names.map((name) => tab(name.replace("_", "-"), { "aria-pressed": name === channel, "data-tab": name },
            () => show(sections.findIndex((one) => one.dataset.channel === name), { focus: name }))));
        const own = sections.map((one, index) => [one, index]).filter(([one]) => one.dataset.channel === channel);
        find("locales").replaceChildren(...own.map(([one, index]) => tab(localeOf(one) || "default", {
            role: "tab", id: `tab-${index}`, "aria-controls": one.id, "aria-selected": index === place, tabindex: index === place ? 0 : -1,
        }, () => show(index, { focus: "tab" }))));
        sections.forEach((one, index) => {
            one.hidden = index !== place;
            one.setAttribute("role", "tabpanel");
            one.setAttribute("aria-labelledby", `tab-${index}`);
        });
        if (focus === "tab") document.getElementById(`tab-${place}`).focus();
        else if (focus) find("channels").querySelector(`[data-tab="${focus}"]`).focus();
        const isMail = channel === "email";
        form.querySelectorAll("[data-mail-only]").forEach((one) => { one.hidden = !isMail; });
        Code.redraw();
        look();
    }

    find("locales").addEventListener("keydown", (event) => {
        const own = [...find("locales").children];
        const here = own.indexOf(document.activeElement);
        const step = { ArrowRight: 1, ArrowLeft: -1, Home: -here, End: own.length - 1 - here }[event.key];
        if (here < 0 || step === undefined) return;
        event.preventDefault();
        own[(here + step + own.length) % own.length].click();
    });

    function reveal(field) {
        const section = field?.closest("[data-variant]");
        if (section?.hidden) show(sections.indexOf(section));
        return field;
    }

    form.addEventListener("click", (event) => {
        const link = event.target.closest("a[href^='#id_']");
        if (link) reveal(document.getElementById(link.hash.slice(1)))?.focus();
        const go = event.target.closest("[data-go]");
        if (go) Code.at(reveal(form.elements[go.dataset.go]), Number(go.dataset.line), Number(go.dataset.column));
        const put = event.target.closest("[data-put]");
        if (put) Code.replace(reveal(form.elements[put.dataset.put]), {
            line: Number(put.dataset.line), column: Number(put.dataset.column), found: put.dataset.found, replacement: put.dataset.replacement,
        }, "everywhere" in put.dataset);
    });

    // The preview
    let number = 0;

    async function look() {
        if (!sections.length) return;
        const mine = ++number;
        let status, said;
        try {
            [status, said] = await ask(form.dataset.live, { method: "POST", body: new FormData(form) });
        } catch {
            find("said").textContent = "The preview cannot be made: the server does not answer.";
            return;
        }
        if (mine !== number || status !== 200) return;
        find("head").innerHTML = said.head;
        const rest = find("rest");
        const focused = rest.contains(document.activeElement);
        rest.innerHTML = said.rest;
        if (focused) sections[Number(at.value)].querySelector("textarea, input:not([type=hidden])")?.focus();
        const frame = find("mail");
        if (frame.srcdoc !== said.mail) frame.srcdoc = said.mail;
        find("frame").hidden = !said.mail;
        find("frame").classList.toggle("is-phone", form.elements.phone.checked);
        find("frame").classList.toggle("is-dark", form.elements.look.value === "dark");
        known.names = said.names;
        const section = sections[Number(at.value)];
        section.querySelectorAll("textarea").forEach((area) => {
            Code.mark(area, said.marks.filter((mark) => area.name.endsWith(`-${mark.field}`)));
        });
        const errors = said.marks.filter((mark) => mark.severity === "error").length;
        find("said").textContent = errors ? `${errors} errors, see the remarks` : "The preview is up to date.";
        form.dataset.seen = String(mine);
    }

    const lookSoon = later(wait, look);

    // The draft
    let isDirty = false;
    let isSaving = false;
    let isOld = false;
    let afterwards = null;

    async function save() {
        if (!form.dataset.autosave || isOld || !isDirty) return;
        if (isSaving) return saveSoon();
        isSaving = true;
        isDirty = false;
        state.textContent = "Saving…";
        try {
            const [status, said] = await ask(form.dataset.autosave, { method: "POST", body: new FormData(form) });
            if (status === 200) {
                form.elements.base.value = said.base;
                document.querySelectorAll("[data-draft]").forEach((one) => { one.hidden = false; });
                state.textContent = isDirty ? "" : `Draft saved at ${new Date(said.at).toLocaleTimeString()}`;
            } else {
                isDirty = true;
                state.textContent = `Not saved: ${said.said}`;
                if (status === 409) {
                    isOld = true;
                    find("newer").hidden = false;
                    find("newer-said").textContent = said.said;
                }
            }
        } catch {
            isDirty = true;
            state.textContent = "Not saved: the server does not answer. What you typed is still here.";
            saveSoon();
        } finally {
            isSaving = false;
            if (afterwards) afterwards();
        }
    }

    const saveSoon = later(pause, save);

    form.addEventListener("input", (event) => {
        const name = event.target.name || "";
        if (name.endsWith("-locale")) find("locales").querySelector("[aria-selected=true]").textContent = event.target.value.trim() || "default";
        if (["look", "phone", "rtl", "category"].includes(name)) return void look();
        if (name === "person") return void people();
        if (name.startsWith("add-")) return;
        lookSoon();
        isDirty = true;
        if (form.dataset.autosave && !isOld) state.textContent = "";
        saveSoon();
    });
    form.addEventListener("submit", (event) => {
        if (isSaving) {
            // what is on its way would be newer than what is sent now
            event.preventDefault();
            afterwards = () => form.requestSubmit(event.submitter);
            return;
        }
        isDirty = false;
        isOld = true;
    });
    window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
    window.addEventListener("beforeunload", (event) => { if (isDirty) event.preventDefault(); });

    // Somebody to look at it with
    const people = later(wait, async () => {
        const asked = form.elements.person.value.trim();
        const options = document.getElementById("people");
        const isChosen = [...options.children].some((one) => one.value === asked);
        if (!isChosen) {
            try {
                const [status, said] = await ask(`${form.dataset.people}?q=${encodeURIComponent(asked)}`);
                if (status === 200) options.replaceChildren(...said.people.map((one) => new Option(one.said, one.user_id)));
            } catch {
                options.replaceChildren();
            }
        }
        look();
    });
    if (form.dataset.people) form.elements.person.addEventListener("focus", () => { if (!form.elements.person.value) people(); });

    form.classList.add("is-live");
    form.querySelectorAll("textarea").forEach((area) => Code.dress(area));
    sections.forEach((section) => section.querySelectorAll("textarea, input[type=text]").forEach((field) => {
        if (!field.name.endsWith("-locale")) Code.choices(field, () => known, field.name);
    }));
    find("tabs").hidden = !sections.length;
    find("preview").hidden = !sections.length;
    if (sections.length) show(Math.min(Number(at.value) || 0, sections.length - 1));
    if (location.hash.startsWith("#id_")) reveal(document.getElementById(location.hash.slice(1)))?.focus();
});
