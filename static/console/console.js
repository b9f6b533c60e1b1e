// The little that HTML cannot do by itself; every page works without it.

// Phone: the menu folds away.
const menu = document.querySelector("[data-menu]");
menu?.addEventListener("click", () => {
  menu.setAttribute("aria-expanded", String(menu.getAttribute("aria-expanded") !== "true"));
});

// A table's first box ticks all of them.
document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-tick-all]")) return;
  for (const box of event.target.form.querySelectorAll("input[type=checkbox][name=job]")) box.checked = event.target.checked;
});

// A slow form is sent once, and says that it works.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button?.dataset.busy) return;
  button.textContent = button.dataset.busy;
  button.setAttribute("aria-busy", "true");
  button.disabled = true;
});

// What refreshes by itself must not pull the page from under somebody: not while they are in it, not in a hidden tab.
document.addEventListener("htmx:beforeRequest", (event) => {
  const polled = event.detail.elt.matches("[data-live]") && !event.detail.requestConfig.triggeringEvent;
  if (polled && (document.hidden || event.detail.elt.contains(document.activeElement))) event.preventDefault();
});

// The session ended meanwhile: go to the login page as a whole, not inside this one.
document.addEventListener("htmx:beforeSwap", (event) => {
  const asked = new URL(event.detail.pathInfo.finalRequestPath, window.location.href);
  const answered = event.detail.xhr.responseURL;
  if (answered && new URL(answered).pathname !== asked.pathname) {
    event.detail.shouldSwap = false;
    window.location.reload();
  }
});

// Copies what an element holds; says on the button that it did. Where the clipboard is closed (plain http), it selects.
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  button.label ??= button.innerHTML;
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    button.textContent = "Copied";
  } catch {
    if (source.select) source.select(); else window.getSelection().selectAllChildren(source);
    button.textContent = document.execCommand("copy") ? "Copied" : "Selected: press Ctrl+C";
  }
  button.setAttribute("role", "status");
  setTimeout(() => { button.innerHTML = button.label; button.removeAttribute("role"); }, 2500);
});
