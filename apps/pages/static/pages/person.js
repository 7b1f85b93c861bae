// Everything works without this file. With it: the time zone of the device is offered, and choices are saved as they are made (htmx).
(() => {
  document.documentElement.classList.add("js");

  const offerZone = () => {
    const select = document.getElementById("zone");
    const found = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (!select || !found || select.value === found || ![...select.options].some((option) => option.value === found)) return;
    if (select.dataset.known === "no") {
      select.value = found;
      return;
    }
    document.getElementById("zone-found").textContent = found;
    const hint = document.getElementById("zone-hint");
    hint.hidden = false;
    document.getElementById("zone-use").addEventListener("click", () => {
      select.value = found;
      hint.hidden = true;
      select.focus();
    });
  };

  const chooseOwn = (event) => {
    if (event.target.id !== "start" && event.target.id !== "end") return;
    const own = document.querySelector("input[name=mode][value=own]");
    if (own) own.checked = true;
  };

  document.addEventListener("input", chooseOwn);
  document.addEventListener("htmx:afterSettle", offerZone);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", offerZone);
  else offerZone();
})();
