// Runs before the first paint: the page is light or dark as the system is, and follows when that changes.
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => { document.documentElement.dataset.bsTheme = dark.matches ? "dark" : "light"; };
  dark.addEventListener("change", apply);
  document.documentElement.classList.add("js");
  apply();
})();
