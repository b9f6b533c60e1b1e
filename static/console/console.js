// The little that HTML cannot do by itself; every page works without it.

// Phone: the menu folds away.
const menu = document.querySelector("[data-menu]");
menu?.addEventListener("click", () => {
  menu.setAttribute("aria-expanded", String(menu.getAttribute("aria-expanded") !== "true"));
});

// A table's first box ticks all of them.
document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-tick-all]")) return;
  const name = event.target.dataset.tickAll || "job";
  for (const box of event.target.form.querySelectorAll(`input[type=checkbox][name=${name}]`)) box.checked = event.target.checked;
});

// A form is sent once, however often its button is pressed; a slow one says that it works.
document.addEventListener("submit", (event) => {
  const form = event.target, button = event.submitter;
  if (event.defaultPrevented || form.getAttribute("method") !== "post") return;
  if ("sent" in form.dataset) return event.preventDefault();
  form.dataset.sent = "";
  if (!button?.dataset.busy) return;
  button.label = button.innerHTML;
  button.textContent = button.dataset.busy;
  button.setAttribute("aria-busy", "true");
  // Not at once: a button that is disabled is not sent with its form.
  setTimeout(() => { button.disabled = true; });
});

// Whoever goes back finds the forms as they were before they were sent.
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  for (const button of document.querySelectorAll("button[aria-busy]")) {
    button.innerHTML = button.label ?? button.innerHTML;
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }
});

const isLive = ({ requestConfig: { elt, triggeringEvent } }) => elt.matches("[data-live]") && !triggeringEvent;

// What refreshes by itself must not pull the page from under somebody: not in a hidden tab, and not while they are in it.
// Then it says that there is news, and shows it when it is asked to, or when they have left.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (isLive(event.detail) && document.hidden) event.preventDefault();
});
const said = (part) => {
  localise(part);
  return part.textContent.replace(/\s+/g, " ");
};
const show = async ({ id }) => {
  const part = document.getElementById(id);
  part.tabIndex = -1;
  part.focus({ preventScroll: true });
  await htmx.ajax("GET", part.getAttribute("hx-get"), { source: part, target: part, swap: "outerHTML" });
  const shown = document.getElementById(id);
  shown.tabIndex = -1;
  shown.focus({ preventScroll: true });
};
document.addEventListener("htmx:beforeSwap", (event) => {
  const { target: part, xhr } = event.detail;
  if (!isLive(event.detail) || !event.detail.shouldSwap) return;
  const name = `news-${part.id}`;
  if (part === document.activeElement || !part.contains(document.activeElement)) return document.getElementById(name)?.remove();
  event.detail.shouldSwap = false;
  const fresh = new DOMParser().parseFromString(xhr.responseText, "text/html").getElementById(part.id);
  if (!fresh || document.getElementById(name) || said(fresh) === said(part)) return;
  const notice = document.createElement("div"), button = document.createElement("button");
  notice.id = name;
  notice.className = "alert alert-info news";
  notice.setAttribute("role", "status");
  button.className = "btn btn-sm";
  button.textContent = "Show it";
  button.addEventListener("click", () => show(part));
  part.before(notice);
  notice.append("There is news in this part of the page. ", button);
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

// How the tenant is comes with every refreshment: what is said already is not said again, also not to a screen reader.
document.addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
  const said = detail.fragment.firstElementChild?.dataset.said;
  if (detail.target.id === "banner" && said === detail.target.dataset.said) detail.shouldSwap = false;
});

// What a key or a click has put in place of itself takes over the focus: whoever has only a keyboard goes on from there.
document.addEventListener("htmx:afterSettle", ({ detail: { elt, requestConfig } }) => {
  if (!requestConfig?.triggeringEvent || document.activeElement !== document.body) return;
  const place = document.getElementById(requestConfig.target?.id) ?? elt;
  place.tabIndex = -1;
  place.focus({ preventScroll: true });
});

// Copies what an element holds; says on the button that it did. Where the clipboard is closed (plain http), it selects.
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  button.label ??= button.innerHTML;
  button.setAttribute("aria-live", "polite");
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    button.textContent = "Copied";
  } catch {
    if (source.select) source.select(); else window.getSelection().selectAllChildren(source);
    button.textContent = document.execCommand("copy") ? "Copied" : "Selected: press Ctrl+C";
  }
  setTimeout(() => { button.innerHTML = button.label; }, 2500);
});

// A question opens over the page; without script its link leads to a page that asks the same.
document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("[data-dialog]");
  const dialog = opener && document.getElementById(opener.dataset.dialog);
  if (!dialog?.showModal || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  dialog.showModal();
});
document.addEventListener("click", (event) => event.target.closest?.("[data-close]")?.closest("dialog").close());

// A form that came back is about the field that was refused; else what became of it comes first, also to who only hears.
const refused = document.querySelector("main [aria-invalid=true]");
if (refused) refused.focus(); else document.querySelector("main.page-body > [data-messages]")?.focus({ preventScroll: true });

// A test of the tenant is watched: its steps appear as they end. Whatever goes wrong, the form is sent as any other.
const watch = async (form, panel) => {
  const list = panel.querySelector("[data-steps-list]"), end = panel.querySelector("[data-steps-end]");
  const button = form.querySelector("button:not([type=button])"), label = button.textContent;
  const next = document.createElement("li");
  next.dataset.stepsNext = "";
  const body = new URLSearchParams(new FormData(form));
  button.disabled = true;
  const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/x-ndjson" } });
  if (!answer.headers.get("Content-Type")?.startsWith("application/x-ndjson")) return form.submit();
  button.textContent = button.dataset.busy;
  panel.hidden = false;
  panel.removeAttribute("role");
  panel.querySelector("h2").textContent = "Testing the tenant";
  panel.querySelector("h2").focus();
  end.replaceChildren();
  list.replaceChildren(next);
  let rest = "";
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (rest + part.value).split("\n");
    rest = lines.pop();
    for (const line of lines.map(JSON.parse)) {
      if (line.step) next.insertAdjacentHTML("beforebegin", line.step);
      if (line.end) end.innerHTML = line.end;
      next.innerHTML = "<span></span>";
      next.append(line.next ? `${line.next}: being tried…` : "");
      next.hidden = !line.next;
    }
  }
  next.remove();
  for (const secret of form.querySelectorAll("input[type=password]")) secret.value = "";
  button.disabled = false;
  button.textContent = label;
  const worked = end.querySelector("a");
  panel.querySelector("h2").textContent = worked ? "Tested" : panel.dataset.failed;
  if (worked && form.classList.contains("card")) {
    form.hidden = true;
    // What was said above, of no connection, is over.
    for (const old of document.querySelectorAll("#banner, main > [data-messages]")) old.replaceChildren();
  }
  worked?.focus();
  if (!end.firstChild) throw new Error("The answer ended early.");
};
document.addEventListener("submit", (event) => {
  const panel = event.target.dataset.steps && document.getElementById(event.target.dataset.steps);
  if (!panel || !window.TextDecoderStream) return;
  event.preventDefault();
  watch(event.target, panel).catch(() => {
    panel.querySelector("[data-steps-end]").textContent = "The connection to this page broke: load it again to see what became of it.";
  });
}, true);

// Times in the viewer's zone (their titles say UTC), numbers and money as the viewer's locale writes them.
const moments = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
// A day or a month of usage is one of UTC, wherever it is looked at.
const steps = {
  hour: new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" }),
  day: new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", timeZone: "UTC" }),
  month: new Intl.DateTimeFormat(undefined, { month: "long", year: "numeric", timeZone: "UTC" }),
};
const moneys = {};
const localise = (root) => {
  for (const time of root.querySelectorAll("time[datetime]:not([data-local])")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    time.textContent = (steps[time.dataset.step] ?? moments).format(moment);
    time.dataset.local = "";
  }
  for (const data of root.querySelectorAll("data[data-currency]:not([data-local])")) {
    const currency = data.dataset.currency;
    try {
      moneys[currency] ??= new Intl.NumberFormat(undefined, { style: "currency", currency, maximumFractionDigits: 9 });
      data.textContent = moneys[currency].format(data.value);
    } catch { /* no currency that the browser knows: it stays as it was sent */ }
    data.dataset.local = "";
  }
  for (const data of root.querySelectorAll("data[data-number]:not([data-local])")) {
    data.textContent = new Intl.NumberFormat(undefined, { maximumFractionDigits: 20 }).format(data.value);
    data.dataset.local = "";
  }
};
localise(document);
document.addEventListener("htmx:load", (event) => localise(event.detail.elt.parentElement ?? event.detail.elt));

// What cannot be refreshed says so, and asks less and less often until it can; what was clicked in vain says so, too.
const silent = { tries: 0, until: 0 };
const noticeOf = (detail) => (isLive(detail) ? "stale" : "in-vain");
document.addEventListener("htmx:beforeRequest", (event) => {
  if (isLive(event.detail) && Date.now() < silent.until) event.preventDefault();
});
const whatHappened = (xhr) => {
  const time = new Date().toLocaleTimeString(), number = xhr.getResponseHeader("X-Request-ID");
  const log = number ? ` Request ${number}: its lines in the log have this number.` : "";
  if (!xhr.status) return `No answer from the server since ${time}: what is shown may be old.`;
  if (xhr.status < 500) return `The server refused this at ${time} (${xhr.status}): load the page again.${log}`;
  if (xhr.status === 503) return `What the server needs has not answered since ${time}: what is shown may be old.${log}`;
  return `Something went wrong at ${time}, and the mistake is ours: what is shown may be old.${log}`;
};
const failed = ({ detail }) => {
  if (isLive(detail)) {
    silent.tries += 1;
    silent.until = Date.now() + Math.min(60000, 2500 * 2 ** silent.tries);
    if (document.getElementById("stale")) return;
  }
  const id = noticeOf(detail), notice = document.createElement("div");
  document.getElementById(id)?.remove();
  notice.id = id;
  notice.className = "alert alert-warning sentence";
  notice.setAttribute("role", "status");
  document.getElementById("main")?.prepend(notice);
  notice.textContent = `${whatHappened(detail.xhr)} ${isLive(detail) ? "It is asked again by itself." : "Try it again."}`;
  if (detail.requestConfig.triggeringEvent) notice.scrollIntoView({ block: "nearest" });
};
document.addEventListener("htmx:sendError", failed);
document.addEventListener("htmx:timeout", failed);
document.addEventListener("htmx:responseError", failed);
document.addEventListener("htmx:afterOnLoad", ({ detail }) => {
  if (!detail.successful) return;
  if (isLive(detail)) Object.assign(silent, { tries: 0, until: 0 });
  document.getElementById(noticeOf(detail))?.remove();
});
