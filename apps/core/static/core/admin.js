// Copy buttons (data-copy), times on the clock of whoever looks (data-local), and pages that must not be sent again on reload (data-replace-url).
"use strict";

document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const before = button.textContent;
    try {
        await navigator.clipboard.writeText(button.dataset.copy);
        button.textContent = "Copied";
    } catch {
        button.textContent = "Press Ctrl+C";
        const text = document.getElementById(button.dataset.copyFrom || "");
        if (text) getSelection().selectAllChildren(text);
    }
    setTimeout(() => { button.textContent = before; }, 1500);
});

document.addEventListener("DOMContentLoaded", () => {
    const page = document.querySelector("[data-replace-url]");
    if (page) history.replaceState(null, "", page.dataset.replaceUrl);
    // unfold takes the first cell of a list for a box to tick, and calls it so on a phone, where there is none, too
    document.querySelectorAll("#result_list tr > td:first-child[data-label]").forEach((cell) => {
        const heading = cell.closest("table").querySelector("thead th")?.textContent.trim();
        if (heading && !cell.querySelector("input[type=checkbox]")) cell.dataset.label = heading;
    });
    const shape = { month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", timeZoneName: "short" };
    document.querySelectorAll("time[data-local]").forEach((time) => {
        time.title = time.textContent;
        time.textContent = `(${new Date(time.dateTime).toLocaleString([], shape)})`;
    });
});
