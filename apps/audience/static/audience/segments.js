// The builder of segments: nested rules as a form. What it makes is JSON in #rules; "rules-changed" tells htmx to count again.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
    const root = document.getElementById("builder");
    const area = document.getElementById("rules");
    if (!root || !area) return;
    const data = (id) => JSON.parse(document.getElementById(id).textContent);
    const known = data("rules-catalogue");
    const readOnly = "readOnly" in root.dataset;
    const GROUPS = { all: "All of these hold", any: "At least one of these holds", none: "None of these holds" };
    const OPS = {
        is: "is", is_not: "is not", in: "is one of", has: "has among its values", contains: "contains", starts_with: "begins with",
        gt: "is more than", gte: "is at least", lt: "is less than", lte: "is at most", before: "is before", after: "is after",
        in_last_days: "in the last … days", not_in_last_days: "not in the last … days", exists: "is known", missing: "is not known",
        usable: "can be used:", ever: "ever", never: "never", switched_off: "switched off", switched_on: "switched on",
    };
    const CHANNELS = { any: "any channel", push: "push", email: "email", sms: "SMS", in_app: "in-app" };
    const SPECIAL = { segment: "Is in the segment", list: "Is on the list", users: "Has one of these user ids", everyone: "Everybody" };

    const make = (tag, attributes = {}, ...children) => {
        const node = document.createElement(tag);
        for (const [name, value] of Object.entries(attributes)) {
            if (name === "text") node.textContent = value; else if (value !== false) node.setAttribute(name, value === true ? "" : value);
        }
        node.append(...children);
        return node;
    };
    const option = (value, text, chosen) => make("option", { value, text, selected: value === chosen });
    const select = (label, options, chosen) => {
        const node = make("select", { "aria-label": label, disabled: readOnly });
        node.append(...options.map(([value, text]) => option(value, text, chosen)));
        return node;
    };
    const button = (text, label, act) => {
        const node = make("button", { type: "button", class: "n-button is-small", "aria-label": label, text });
        node.addEventListener("click", act);
        return node;
    };

    // every field by its whole name: {label, group, ops}
    const fields = new Map();
    const families = known.fields.filter((one) => one.key.endsWith(".") && !one.paths.length);
    for (const one of known.fields) {
        if (!one.key.endsWith(".")) fields.set(one.key, one);
        for (const path of one.paths) fields.set(one.key + path, { ...one, label: `${one.label}: ${CHANNELS[path] || path}` });
    }
    const attributes = families.find((one) => one.key === "attributes.");
    for (const one of known.attributes) {
        fields.set(`attributes.${one.name}`, { ...attributes, label: one.name, group: "Attributes", type: one.type });
    }
    const fieldOf = (name) => fields.get(name) || (name.startsWith("attributes.") ? { ...attributes, label: name } : undefined);

    const fieldSelect = (chosen) => {
        const node = make("select", { "aria-label": "What is asked", disabled: readOnly });
        const groups = new Map();
        for (const [name, one] of fields) {
            if (!groups.has(one.group)) groups.set(one.group, make("optgroup", { label: one.group }));
            groups.get(one.group).append(option(name, one.label, chosen));
        }
        if (!groups.has("Attributes")) groups.set("Attributes", make("optgroup", { label: "Attributes" }));
        const other = chosen && chosen.startsWith("attributes.") && !fields.has(chosen);
        groups.get("Attributes").append(option("attributes.", "another attribute…", other ? "attributes." : chosen));
        const more = make("optgroup", { label: "Groups of people" });
        more.append(...Object.entries(SPECIAL).map(([name, text]) => option(name, text, chosen)));
        const first = groups.get("Attributes");
        groups.delete("Attributes");
        node.append(first, ...groups.values(), more);
        return node;
    };

    const input = (type, value, label, more = {}) => make("input", { type, value: value ?? "", "aria-label": label, class: "n-value", readonly: readOnly, ...more });
    const yesNo = (value) => {
        const node = select("Value", [["true", "yes"], ["false", "no"]], String(value !== false));
        node.classList.add("n-value");
        return node;
    };
    const typeOf = (value, hint) => (value === undefined ? { number: "number", boolean: "bool" }[hint] || "text" : { number: "number", boolean: "bool" }[typeof value] || "text");

    function leaf(rule) {
        const node = make("div", { class: "n-rule", role: "group", "aria-label": "A rule" });
        const special = Object.keys(SPECIAL).find((name) => name in rule);
        const what = fieldSelect(special || rule.field || "attributes.");
        node.append(what);
        let read = () => ({});

        function draw(now) {
            while (what.nextSibling) what.nextSibling.remove();
            const name = what.value;
            if (name === "segment" || name === "list") read = drawNamed(name, now);
            else if (name === "users") read = drawUsers(now);
            else if (name === "everyone") read = () => ({ everyone: true });
            else read = drawField(name, now);
            if (!readOnly) {
                const remove = button("✕", "Remove this rule", () => { const next = node.nextElementSibling || node.previousElementSibling; node.remove(); (next?.querySelector("select, button") || root.querySelector("button"))?.focus(); changed(); });
                remove.classList.add("n-remove");
                node.append(remove);
            }
        }
        function drawNamed(kind, now) {
            const rows = kind === "list" ? known.lists : known.segments;
            const options = rows.map((one) => [one.key, one.name]);
            if (now[kind] && !rows.some((one) => one.key === now[kind])) options.unshift([now[kind], now[kind]]);
            if (!options.length) options.push(["", kind === "list" ? "There is no list yet" : "There is no other segment yet"]);
            const pick = select(kind === "list" ? "List" : "Segment", options, now[kind]);
            pick.classList.add("n-value");
            node.append(pick);
            return () => ({ [kind]: pick.value });
        }
        function drawUsers(now) {
            const box = make("textarea", { class: "n-value", rows: 3, "aria-label": "User ids, one in each line", readonly: readOnly });
            box.value = (now.users || []).join("\n");
            node.append(box);
            return () => ({ users: box.value.split(/[\n,;]+/).map((one) => one.trim()).filter(Boolean) });
        }
        function drawField(name, now) {
            let path = () => name;
            if (name === "attributes.") {
                const box = input("text", (now.field || "").replace("attributes.", ""), "Name of the attribute", { placeholder: "name" });
                node.append(box);
                path = () => `attributes.${box.value.trim()}`;
            }
            const field = fieldOf(name);
            const op = select("How", Object.keys(field.ops).map((one) => [one, OPS[one] || one]), now.op in field.ops ? now.op : undefined);
            const spot = make("span", { style: "display: contents" });
            node.append(op, spot);
            let value = () => undefined;
            const drawValue = (given) => { spot.textContent = ""; value = drawKind(spot, field.ops[op.value], given, field); };
            op.addEventListener("change", () => drawValue(undefined));
            drawValue(now.value);
            return () => { const found = value(); return { field: path(), op: op.value, ...(found === undefined ? {} : { value: found }) }; };
        }
        what.addEventListener("change", () => { draw({}); changed(); });
        draw(rule);
        node.read = () => read();
        return node;
    }

    // puts what takes a value into `spot`; gives back what reads it
    function drawKind(spot, kind, given, field) {
        const put = (...nodes) => spot.append(...nodes);
        if (kind === "nothing") return () => undefined;
        if (kind === "bool") { const box = yesNo(given); put(box); return () => box.value === "true"; }
        if (kind === "days" || kind === "number") {
            const box = input("number", given, kind === "days" ? "Days" : "Number", kind === "days" ? { min: 1, max: 3650, step: 1 } : { step: "any" });
            put(box);
            return () => (box.value === "" ? null : Number(box.value));
        }
        if (kind === "date") { const box = input("date", given, "Day"); put(box); return () => box.value; }
        const many = kind === "scalars" || kind === "texts";
        const shown = many ? (Array.isArray(given) ? given.join(", ") : "") : given;
        const box = input("text", shown, many ? "Values, with commas between them" : "Value", { placeholder: many ? "one, two, three" : "" });
        if (field.choices?.length) {
            const list = make("datalist", { id: `choices-${Math.random().toString(36).slice(2)}` });
            list.append(...field.choices.map((one) => make("option", { value: one })));
            box.setAttribute("list", list.id);
            put(list);
        }
        let type = () => "text";
        if (kind === "scalar" || kind === "scalars") {
            const chosen = select("Kind of value", [["text", "text"], ["number", "number"], ["bool", "yes or no"]], typeOf(many ? given?.[0] : given, field.type));
            type = () => chosen.value;
            if (!many && type() === "bool") { const yes = yesNo(given); put(yes, chosen); chosen.addEventListener("change", () => { spot.textContent = ""; again(chosen.value); }); return () => yes.value === "true"; }
            chosen.addEventListener("change", () => { if (!many && chosen.value === "bool") { spot.textContent = ""; again("bool"); } });
            put(box, chosen);
        } else put(box);
        const cast = (text) => (type() === "number" && text !== "" ? Number(text) : type() === "bool" ? /^(true|yes|1)$/i.test(text) : text);
        let replaced = null;
        function again(to) { replaced = drawKind(spot, kind, to === "bool" ? true : to === "number" ? 0 : "", { ...field, type: to === "bool" ? "boolean" : to }); changed(); }
        return () => (replaced ? replaced() : many ? box.value.split(",").map((one) => one.trim()).filter(Boolean).map(cast) : cast(box.value.trim()));
    }

    function group(rule, isRoot) {
        const word = Object.keys(GROUPS).find((one) => one in rule) || "all";
        const pick = select("How these rules go together", Object.entries(GROUPS), word);
        const parts = make("div");
        const node = make("fieldset", { class: "n-rules" }, make("legend", {}, pick), parts);
        const add = (made) => { parts.append(made); made.querySelector("select")?.focus(); changed(); };
        if (!readOnly) {
            const actions = make("p", { class: "n-actions" },
                button("Add a rule", "Add a rule to this group", () => add(leaf({}))),
                button("Add a group", "Add a group within this group", () => add(group({ any: [{}] }, false))));
            if (!isRoot) actions.append(button("Remove group", "Remove this group and its rules", () => { node.remove(); root.querySelector("button")?.focus(); changed(); }));
            node.append(actions);
        }
        parts.append(...(rule[word] || []).map((one) => build(one, false)));
        node.read = () => ({ [pick.value]: [...parts.children].map((one) => one.read()) });
        return node;
    }

    function build(rule, isRoot) {
        const isGroup = Object.keys(GROUPS).some((one) => one in rule);
        if (isGroup) return group(rule, isRoot);
        return isRoot ? group({ all: [rule] }, true) : leaf(rule);
    }

    function nodeAt(pointer) {
        let node = root.firstElementChild;
        for (const [, place] of pointer.matchAll(/\/(?:all|any|none)\/(\d+)/g)) node = node?.children[1]?.children[Number(place)] || node;
        return node?.classList.contains("n-rule") ? node : null;
    }
    function mark(within) {
        root.querySelectorAll(".n-why").forEach((one) => one.remove());
        root.querySelectorAll(".is-wrong").forEach((one) => one.classList.remove("is-wrong"));
        within.querySelectorAll("[data-pointer]").forEach((said) => {
            const rule = nodeAt(said.dataset.pointer);
            if (!rule) return;
            if (!said.hasAttribute("data-warning")) rule.classList.add("is-wrong");
            rule.append(make("p", { class: "n-why n-warn", text: said.textContent }));
        });
    }

    let last = "";
    function changed(force) {
        const rules = root.firstElementChild.read();
        const text = JSON.stringify(rules, null, 2);
        if (text === last && force !== true) return;
        last = area.value = text;
        area.dispatchEvent(new CustomEvent("rules-changed", { bubbles: true }));
    }
    function show(rules) {
        root.replaceChildren(build(rules, true));
        changed(true);
    }
    root.addEventListener("input", () => changed());
    root.addEventListener("change", () => changed());
    area.addEventListener("change", () => {
        try { show(JSON.parse(area.value)); } catch { area.dispatchEvent(new CustomEvent("rules-changed", { bubbles: true })); }
    });
    document.body.addEventListener("htmx:afterSwap", (event) => { if (event.target.id === "count") { mark(event.target); total(event.target); } });
    const total = (within) => {
        const shown = document.querySelector(".n-total");
        if (shown) shown.textContent = within.querySelector(".n-count")?.textContent.trim() || "";
    };
    // htmx looks at the page when it is loaded, too
    setTimeout(() => show(data("rules-data")), 0);
});
