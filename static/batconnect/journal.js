// The form of a manual journal: what debits and credits come to while they are typed, and more lines.
// Amounts are whole numbers of the sixth decimal (BigInt): sums of floats would be off by a cent some day.
(() => {
  "use strict";

  const PLACES = 6;
  const UNIT = 10n ** BigInt(PLACES);

  const parse = (text) => {
    const plain = text.replaceAll(",", "").trim();
    if (!/^\d{1,14}(\.\d{0,6})?$/.test(plain)) return 0n;
    const [whole, part = ""] = plain.split(".");
    return BigInt(whole) * UNIT + BigInt(part.padEnd(PLACES, "0"));
  };

  const shown = (value, places) => {
    const digits = (value % UNIT).toString().padStart(PLACES, "0");
    const least = digits.slice(places).replace(/0+$/, "").length + places;
    const whole = (value / UNIT).toString().replace(/\B(?=(\d{3})+$)/g, ",");
    return least ? `${whole}.${digits.slice(0, least)}` : whole;
  };

  const start = (form) => {
    const rows = form.querySelector("[data-rows]");
    const accounts = new Map(
      [...form.querySelectorAll("#accounts option")].map((option) => [option.value, option]),
    );
    const field = (row, name) => row.querySelector(`[name="${name}"]`);

    const count = () => {
      const sums = new Map();
      let places = 0;
      for (const row of rows.rows) {
        const account = accounts.get(field(row, "account").value.trim().split(" ")[0]);
        const data = account ? account.dataset : { currency: "USD", exponent: "2", fund: "" };
        row.querySelector("[data-account-name]").textContent = account ? account.textContent : "";
        const debit = parse(field(row, "debit").value);
        const credit = parse(field(row, "credit").value);
        if (!debit && !credit) continue;
        const fund = (field(row, "fund") && field(row, "fund").value) || data.fund;
        const key = fund && fund !== "OP" ? `${data.currency} ${fund}` : data.currency;
        const sum = sums.get(key) || { debits: 0n, credits: 0n, places: Number(data.exponent) };
        sum.debits += debit;
        sum.credits += credit;
        places = Math.max(places, sum.places);
        sums.set(key, sum);
      }
      tell(sums, sums.size ? places : 2);
    };

    const tell = (sums, places) => {
      const all = [...sums.values()];
      const total = (name) => all.reduce((sum, one) => sum + one[name], 0n);
      form.querySelector("[data-debits]").textContent = shown(total("debits"), places);
      form.querySelector("[data-credits]").textContent = shown(total("credits"), places);
      const differences = [...sums].filter(([, one]) => one.debits !== one.credits).map(([key, one]) => {
        const more = one.debits > one.credits;
        const off = more ? one.debits - one.credits : one.credits - one.debits;
        const which = sums.size > 1 || key !== "USD" ? `${key}: ` : "";
        return `${which}${shown(off, one.places)} more ${more ? "debits" : "credits"}`;
      });
      const output = form.querySelector("[data-difference]");
      output.textContent = differences.length ? differences.join(", ") : all.length ? "Balanced" : "";
      output.classList.toggle("bc-warn", differences.length > 0);
    };

    const add = () => {
      const row = rows.rows[rows.rows.length - 1].cloneNode(true);
      const number = rows.rows.length + 1;
      row.querySelector("[data-number]").textContent = number;
      row.querySelectorAll("input, select").forEach((input) => {
        input.value = "";
        input.setAttribute("aria-label", input.getAttribute("aria-label").replace(/\d+$/, number));
      });
      rows.append(row);
      count();
      return row;
    };

    const button = form.querySelector("[data-add-row]");
    button.hidden = false;
    form.querySelector("[data-more-rows]").hidden = true;
    button.addEventListener("click", () => field(add(), "account").focus());
    form.addEventListener("input", count);
    count();
  };

  document.querySelectorAll("[data-journal]").forEach(start);
})();
