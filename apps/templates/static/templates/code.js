// A textarea with line numbers, colours and marks, and a list of what may be written in a tag. What is typed stays a textarea:
// the colours are a picture beneath it. `window.Code` is what editor.js uses.
"use strict";

window.Code = (() => {
    const TOKEN = /(\{\{[\s\S]{0,2000}?\}\}|\{%[\s\S]{0,2000}?%\})|(<!--[\s\S]{0,5000}?-->)|(<\/?[a-zA-Z][\w:-]*|\/?>)/g;
    const MOST_COLOURED = 60000;
    const WORSE = ["info", "warning", "error"];

    function tokens(text) {
        if (text.length > MOST_COLOURED) return [[text, ""]];
        const found = [];
        let position = 0;
        for (const match of text.matchAll(TOKEN)) {
            if (match.index > position) found.push([text.slice(position, match.index), ""]);
            found.push([match[0], match[1] ? "t-liquid" : match[2] ? "t-comment" : "t-tag"]);
            position = match.index + match[0].length;
        }
        found.push([text.slice(position), ""]);
        return found;
    }

    function lines(text) {
        const found = [[]];
        for (const [piece, kind] of tokens(text)) {
            piece.split("\n").forEach((part, at) => {
                if (at) found.push([]);
                if (part) found[found.length - 1].push([part, kind]);
            });
        }
        return found;
    }

    function split(pieces, marks) {
        // cut where a mark begins and ends
        let found = pieces.map(([text, kind]) => [text, kind, ""]);
        for (const mark of marks) {
            let position = 0;
            const start = mark.column - 1;
            const end = start + Math.max(1, mark.found.length);
            found = found.flatMap(([text, kind, severity]) => {
                const [from, to] = [start - position, end - position];
                position += text.length;
                if (to <= 0 || from >= text.length) return [[text, kind, severity]];
                const parts = [[text.slice(0, Math.max(0, from)), severity], [text.slice(Math.max(0, from), to), mark.severity], [text.slice(to), severity]];
                return parts.filter(([part]) => part).map(([part, said]) => [part, kind, said]);
            });
        }
        return found;
    }

    class Editor {
        constructor(area) {
            this.area = area;
            this.marks = [];
            this.box = document.createElement("div");
            this.box.className = "n-code";
            this.picture = document.createElement("div");
            this.picture.className = "n-code-lines";
            this.picture.setAttribute("aria-hidden", "true");
            const height = `${Number(area.getAttribute("rows") || 4) * 20 + 16}px`;
            area.replaceWith(this.box);
            area.className = "";
            this.box.append(this.picture, area);
            this.box.style.minHeight = height;
            this.box.addEventListener("mousedown", (event) => {
                if (event.target === this.box) { event.preventDefault(); area.focus(); }
            });
            area.addEventListener("input", () => { this.marks = []; this.draw(); });
            this.draw();
        }

        draw() {
            const byLine = new Map();
            for (const mark of this.marks) byLine.set(mark.line, [...(byLine.get(mark.line) || []), mark]);
            const rows = lines(this.area.value).map((pieces, at) => {
                const marks = byLine.get(at + 1) || [];
                const row = document.createElement("div");
                for (const [text, kind, severity] of split(pieces, marks)) row.append(this.piece(text, kind, severity));
                const worst = Math.max(-1, ...marks.map((mark) => WORSE.indexOf(mark.severity)));
                if (worst >= 0) row.className = `is-${WORSE[worst]}`;
                if (worst === 2) row.dataset.wrong = marks.find((mark) => mark.severity === "error").text;
                return row;
            });
            this.picture.replaceChildren(...rows);
        }

        piece(text, kind, severity) {
            if (!kind && !severity) return text;
            const element = document.createElement(severity ? "mark" : "span");
            element.className = [kind, severity && `is-${severity}`].filter(Boolean).join(" ");
            element.textContent = text;
            return element;
        }

        mark(marks) {
            this.marks = marks;
            this.draw();
        }
    }

    const all = new Map();

    function index(text, line, column) {
        return text.split("\n").slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0) + column - 1;
    }

    function at(field, line, column) {
        field.focus();
        if (!field.setSelectionRange) return;
        const place = index(field.value, line, column);
        field.setSelectionRange(place, Math.min(place + 1, field.value.length));
        const row = all.get(field)?.picture.children[line - 1];
        if (row) row.scrollIntoView({ block: "nearest" });
    }

    function put(field, start, end, text) {
        field.focus();
        field.setSelectionRange(start, end);
        // keeps what Ctrl+Z can take back; the one way that browsers offer
        if (!document.execCommand("insertText", false, text)) field.setRangeText(text, start, end, "end");
        field.dispatchEvent(new Event("input", { bubbles: true }));
    }

    function replace(field, { line, column, found, replacement }, everywhere) {
        let start = index(field.value, line, column);
        if (!everywhere) {
            if (field.value.startsWith(found, start)) put(field, start, start + found.length, replacement);
            return;
        }
        const before = field.value.slice(0, start).split(found).join(replacement).length;
        put(field, 0, field.value.length, field.value.split(found).join(replacement));
        field.setSelectionRange(before, before);
    }

    // What may be written: after {{ a variable, after | a filter, after {% a tag, then variables.
    class Choices {
        constructor(field, known, number) {
            this.field = field;
            this.known = known;
            this.list = document.createElement("ul");
            this.list.className = "n-choices";
            this.list.id = `choices-${number}`;
            this.list.setAttribute("role", "listbox");
            this.list.setAttribute("aria-label", "What may be written here");
            this.list.hidden = true;
            const holder = field.closest(".n-code")?.parentElement || field.parentElement;
            holder.classList.add("n-holds");
            holder.append(this.list);
            field.setAttribute("aria-autocomplete", "list");
            field.setAttribute("aria-controls", this.list.id);
            field.autocomplete = "off";
            field.addEventListener("input", () => this.offer());
            field.addEventListener("keydown", (event) => this.key(event));
            field.addEventListener("blur", () => this.close());
            this.list.addEventListener("mousedown", (event) => {
                event.preventDefault();
                const item = event.target.closest("li");
                if (item) this.take(item.textContent);
            });
        }

        wanted() {
            const before = this.field.value.slice(0, this.field.selectionStart);
            const opened = before.slice(Math.max(before.lastIndexOf("{{"), before.lastIndexOf("{%")));
            if (!/^\{[{%]/.test(opened) || /[%}]\}/.test(opened.slice(2))) return null;
            const word = opened.slice(2).match(/[\w.[\]'-]*$/)[0];
            const ahead = opened.slice(0, opened.length - word.length);
            const kind = /\|\s*$/.test(ahead) ? "filters" : /^\{%-?\s*$/.test(ahead) ? "tags" : "names";
            if (/["'][^"']*$/.test(ahead.replace(/"[^"]*"|'[^']*'/g, ""))) return null;
            return { word, kind };
        }

        offer() {
            const wanted = this.wanted();
            const found = wanted ? this.known()[wanted.kind].filter((one) => one !== wanted.word && one.includes(wanted.word)) : [];
            if (!found.length || (wanted.kind !== "names" && !wanted.word && wanted.kind === "tags")) return this.close();
            found.sort((a, b) => b.startsWith(wanted.word) - a.startsWith(wanted.word));
            this.list.replaceChildren(...found.slice(0, 12).map((one, at) => {
                const item = document.createElement("li");
                item.id = `${this.list.id}-${at}`;
                item.setAttribute("role", "option");
                item.textContent = one;
                return item;
            }));
            this.list.hidden = false;
            this.choose(0);
            this.place();
        }

        place() {
            const row = all.get(this.field)?.picture.children[this.field.value.slice(0, this.field.selectionStart).split("\n").length - 1];
            const holder = this.list.parentElement.getBoundingClientRect();
            const near = (row || this.field).getBoundingClientRect();
            this.list.style.top = `${Math.min(near.bottom, (this.field.closest(".n-code") || this.field).getBoundingClientRect().bottom) - holder.top + 2}px`;
            this.list.style.insetInlineStart = row ? "3.25rem" : "0";
        }

        choose(at) {
            const items = [...this.list.children];
            this.chosen = (at + items.length) % items.length;
            items.forEach((item, place) => item.setAttribute("aria-selected", String(place === this.chosen)));
            items[this.chosen].scrollIntoView({ block: "nearest" });
            this.field.setAttribute("aria-activedescendant", items[this.chosen].id);
        }

        key(event) {
            if (this.list.hidden || event.isComposing) return;
            const moves = { ArrowDown: 1, ArrowUp: -1 };
            if (event.key in moves) this.choose(this.chosen + moves[event.key]);
            else if (event.key === "Enter") this.take(this.list.children[this.chosen].textContent);
            else if (event.key === "Escape") this.close();
            else return;
            event.preventDefault();
            event.stopPropagation();
        }

        take(text) {
            const { word } = this.wanted();
            const end = this.field.selectionStart;
            this.close();
            put(this.field, end - word.length, end, text);
            this.close();
        }

        close() {
            this.list.hidden = true;
            this.field.removeAttribute("aria-activedescendant");
        }
    }

    return {
        dress(area) { all.set(area, new Editor(area)); },
        choices(field, known, number) { return new Choices(field, known, number); },
        mark(field, marks) { all.get(field)?.mark(marks); },
        redraw() { all.forEach((editor) => editor.draw()); },
        at,
        replace,
    };
})();
