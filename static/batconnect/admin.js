// Watches running jobs, gives charts the theme's colours, asks before what cannot be taken back, and stops a second click on a form.
(() => {
  "use strict";

  const show = (area, state) => {
    const set = (name, text) => {
      const element = area.querySelector(`[${name}]`);
      if (element && element.textContent !== text) element.textContent = text;
    };
    set("data-job-label", state.label);
    set("data-job-step", state.step);
    set("data-job-count", state.total ? `${state.done.toLocaleString()} of ${state.total.toLocaleString()}` : "");
    const bar = area.querySelector("[data-job-bar]");
    if (bar) bar.value = state.percent;
    const waiting = area.querySelector("[data-job-waiting]");
    if (waiting) waiting.hidden = state.status !== "PENDING";
  };

  const watch = (area) => {
    const ask = async () => {
      let wait = 1000;
      try {
        const answer = await fetch(area.dataset.jobUrl, { headers: { Accept: "application/json" } });
        if (!answer.ok) throw new Error(String(answer.status));
        const state = await answer.json();
        show(area, state);
        if (state.ended) {
          window.location.reload();
          return;
        }
      } catch {
        wait = 5000; // The server may be restarting; the job does not need this page.
      }
      window.setTimeout(ask, wait);
    };
    ask();
  };

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("[data-job-url]").forEach(watch);
  });

  // Charts take the theme's colours for their text and lines, also when the theme changes: the site redraws them then.
  const colourCharts = () => {
    if (!window.Chart) return;
    const dark = document.documentElement.classList.contains("dark");
    const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    window.Chart.defaults.color = colour(dark ? "--color-base-300" : "--color-base-700");
    window.Chart.defaults.borderColor = colour(dark ? "--color-base-700" : "--color-base-200");
  };
  new MutationObserver(colourCharts).observe(document.documentElement, { attributeFilter: ["class"] });
  document.addEventListener("DOMContentLoaded", colourCharts);

  document.addEventListener("submit", (event) => {
    const form = event.target;
    const question = event.submitter && event.submitter.dataset.confirm;
    if (question && !window.confirm(question)) {
      event.preventDefault();
      return;
    }
    if (!form.closest(".bc")) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
  });

  // Where the keyboard begins on a page of a task: at its first field, at the first that is wrong, or at the task itself,
  // and not at the menu. The page stays where it is, unless something is wrong further down.
  const begin = () => {
    const place = document.querySelector("[data-begin]");
    if (!place || (document.activeElement && document.activeElement !== document.body)) return;
    const fields = [...place.querySelectorAll("input, select, textarea")].filter(
      (field) => field.type !== "hidden" && !field.disabled && field.offsetParent,
    );
    const wrong = fields.find((field) => field.getAttribute("aria-invalid") === "true");
    const first = place.dataset.begin === "field" ? fields[0] : undefined;
    (wrong || first || place).focus({ preventScroll: !wrong });
  };
  document.addEventListener("DOMContentLoaded", begin);

  // Back from the next page, the form may be sent again.
  window.addEventListener("pageshow", () => {
    document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
  });
})();
