// Case screens: finds while somebody types, shows fields only where they apply, and counts the cashier's items.
// Money is whole cents (BigInt): sums of floats would be off by a cent some day.
(() => {
  "use strict";

  // --- search as you type ---------------------------------------------------------------------------------------

  const line = (look, text) => {
    const span = document.createElement("span");
    span.className = look;
    span.textContent = text;
    return span;
  };

  const hit = (found) => {
    const button = document.createElement("button");
    button.type = "submit";
    button.name = "pick";
    button.value = found.pick;
    button.className = "bc-hit";
    button.setAttribute("role", "option");
    button.setAttribute("aria-selected", "false");
    button.disabled = !found.pick;
    button.append(line("bc-strong", found.title), line("bc-muted", found.text));
    if (found.warning) button.append(line("bc-warn", found.warning));
    return button;
  };

  const search = (form) => {
    const input = form.querySelector("input[type=search]");
    const list = document.getElementById(input.getAttribute("aria-controls"));
    const count = form.querySelector("[data-find-count]");
    let timer = 0;
    let asked = "";
    let asking = null;

    const show = (hits) => {
      list.replaceChildren(...hits.map(hit));
      input.setAttribute("aria-expanded", String(hits.length > 0));
      count.textContent = hits.length ? `${hits.length} found` : `Nothing found for “${asked}”.`;
    };

    const ask = async () => {
      const text = input.value.trim();
      if (text === asked) return;
      asked = text;
      if (asking) asking.abort();
      if (text.length < 2) {
        list.replaceChildren();
        count.textContent = "";
        return;
      }
      asking = new AbortController();
      try {
        const answer = await fetch(`${form.dataset.find}?q=${encodeURIComponent(text)}`, {
          headers: { Accept: "application/json" },
          signal: asking.signal,
        });
        // A session that has ended answers with the login page.
        if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
        show((await answer.json()).found);
      } catch (error) {
        if (error.name === "AbortError") return;
        count.textContent = "The search did not answer. Log in again, or press Find.";
      }
    };

    input.addEventListener("input", () => {
      window.clearTimeout(timer);
      timer = window.setTimeout(ask, 150);
    });
    input.addEventListener("keydown", (event) => {
      const first = list.querySelector("button:not([disabled])");
      if (event.key === "ArrowDown" && first) {
        event.preventDefault();
        first.focus();
      }
    });
    list.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      event.preventDefault();
      const buttons = [...list.querySelectorAll("button:not([disabled])")];
      const next = buttons.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
      if (next < 0) input.focus();
      else if (buttons[next]) buttons[next].focus();
    });
    if (form.dataset.mode === "start" && !input.value) input.focus();
  };

  // --- fields that apply to some choices only ---------------------------------------------------------------------

  const conditional = (form) => {
    const parts = [...form.querySelectorAll("[data-shown-for]")];
    const update = () => {
      for (const part of parts) {
        const [name, values] = part.dataset.shownFor.split("=");
        part.hidden = !values.split(",").includes(form.elements[name].value);
      }
    };
    form.addEventListener("change", update);
    update();
  };

  // --- the cashier's items ----------------------------------------------------------------------------------------

  const cents = (text) => {
    const plain = text.trim();
    if (!/^\d{1,12}(\.\d{0,2})?$/.test(plain)) return 0n;
    const [whole, part = ""] = plain.split(".");
    return BigInt(whole) * 100n + BigInt(part.padEnd(2, "0"));
  };

  const shown = (value) => {
    const sign = value < 0n ? "\u2212" : "";
    const size = value < 0n ? -value : value;
    const whole = (size / 100n).toString().replace(/\B(?=(\d{3})+$)/g, ",");
    return `${sign}${whole}.${(size % 100n).toString().padStart(2, "0")}`;
  };

  const plain = (value) => `${value / 100n}.${(value % 100n).toString().padStart(2, "0")}`;

  const items = (form) => {
    const table = form.querySelector("[data-items]");
    if (!table) return;
    // Without an amount of its own (a write-off), it is what is put to items.
    const amount = form.elements.total_payment_amount || form.elements.amount;
    const toLease = table.dataset.rest !== "open";
    const rows = [...table.querySelectorAll("tr[data-item]")].map((row) => ({
      row,
      input: row.querySelector("input"),
      open: cents(row.dataset.open),
      lease: row.dataset.category === "LEASE",
    }));
    const placed = () => rows.reduce((sum, one) => sum + cents(one.input.value), 0n);
    const tell = (name, text, warn) => {
      const output = form.querySelector(`[data-${name}]`);
      if (!output) return;
      output.textContent = text;
      output.classList.toggle("bc-warn", Boolean(warn));
    };

    const count = () => {
      const paid = amount ? cents(amount.value) : placed();
      let left = paid - placed();
      let over = false;
      for (const one of rows) {
        const wrong = cents(one.input.value) > one.open;
        one.row.classList.toggle("bc-over", wrong);
        one.input.setAttribute("aria-invalid", String(wrong));
        over = over || wrong;
      }
      tell("placed", shown(placed()));
      tell("left", shown(left), left < 0n);
      if (over) {
        tell("rule", "More than is open is put to an item.", true);
        return;
      }
      if (left < 0n) {
        tell("rule", `More is put to items than is ${toLease ? "paid" : "granted"}.`, true);
        return;
      }
      let lease = 0n;
      for (const one of rows) {
        if (!one.lease || !toLease) continue;
        const share = one.open - cents(one.input.value) < left ? one.open - cents(one.input.value) : left;
        lease += share;
        left -= share;
      }
      const told = [];
      if (lease) told.push(`${shown(lease)} of the remainder goes to the lease, oldest first`);
      if (left) told.push(`${shown(left)} stays as a credit for the driver`);
      tell("rule", told.length ? `${told.join("; ")}.` : paid ? "All of it is put to items." : "");
    };

    for (const one of rows) {
      one.row.addEventListener("click", (event) => {
        if (event.target === one.input) return;
        const others = placed() - cents(one.input.value);
        const paid = amount ? cents(amount.value) : 0n;
        const left = paid - others;
        // Without an amount the item itself says what is paid; a second click takes it back.
        const fill = !paid || left > one.open ? one.open : left > 0n ? left : 0n;
        one.input.value = cents(one.input.value) || !fill ? "" : plain(fill);
        count();
      });
    }
    const all = form.querySelector("[data-take-placed]");
    if (all && amount) {
      all.hidden = false;
      all.addEventListener("click", () => {
        amount.value = plain(placed());
        count();
      });
    }
    form.addEventListener("input", count);
    count();
  };

  document.querySelectorAll("[data-find]").forEach(search);
  document.querySelectorAll("[data-step-form]").forEach((form) => {
    conditional(form);
    items(form);
  });
})();
