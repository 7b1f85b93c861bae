// New messages every two seconds, while the page is looked at. Cards that are there stay: their frames would load again.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
    const shown = document.getElementById("sandbox-messages");
    const live = document.getElementById("sandbox-live");
    const most = 60;

    async function refresh() {
        if (!live.checked || document.hidden) return;
        let text;
        try {
            const answer = await fetch(shown.dataset.url, { credentials: "same-origin", redirect: "error" });
            if (!answer.ok) return;
            text = await answer.text();
        } catch {
            return;
        }
        const news = new DOMParser().parseFromString(text, "text/html");
        for (const id of ["problem", "empty"]) {
            const now = news.getElementById(id);
            const before = document.getElementById(id);
            if (before && !now) before.remove();
            if (now && !before) shown.prepend(now);
        }
        const list = shown.querySelector(".n-mails");
        const fresh = [...news.querySelectorAll("article")].filter((card) => !document.getElementById(card.id));
        list.prepend(...fresh);
        while (list.children.length > most) list.lastElementChild.remove();
    }

    async function forever() {
        await refresh();
        setTimeout(forever, 2000);
    }
    setTimeout(forever, 2000);
});
