"use strict";
(() => {
  const rows = JSON.parse(document.getElementById("rows").textContent);
  const PAGE = 48; // cards at once
  const STATES = { done: "coloured", unchanged: "done before", failed: "failed" };
  const FIGURES = { psnr: ["PSNR", " dB", 2], ssim: ["SSIM", "", 3], colourfulness: ["colourfulness", "", 1], original: ["of the original", "", 1] };
  const spelling = new Intl.Collator(undefined, { numeric: true });
  const byName = (a, b) => spelling.compare(a.name, b.name) || spelling.compare(a.reference?.name ?? "", b.reference?.name ?? "") || spelling.compare(a.link ?? "", b.link ?? "");
  const figure = (row, name) => row.figures?.[name] ?? null;
  const byFigure = (name, sign) => (a, b) => {
    const [one, other] = [figure(a, name), figure(b, name)];
    if (one === null || other === null) return (one === null) - (other === null) || byName(a, b);
    return sign * (one - other) || byName(a, b);
  };
  const STANDING = ["failed", "done", "unchanged"];
  const ORDERS = [
    ["name", "name", byName],
    ["state", "state, failed first", (a, b) => STANDING.indexOf(a.state) - STANDING.indexOf(b.state) || byName(a, b)],
    ["psnr", "PSNR, lowest first", byFigure("psnr", 1)],
    ["psnr-down", "PSNR, highest first", byFigure("psnr", -1)],
    ["colourfulness", "colourfulness, lowest first", byFigure("colourfulness", 1)],
    ["colourfulness-down", "colourfulness, highest first", byFigure("colourfulness", -1)],
  ].filter(([key]) => !key.startsWith("psnr") || rows.some((row) => figure(row, "psnr") !== null));
  const at = (id) => document.getElementById(id);
  const count = (n) => n.toLocaleString("en");

  /** An element with properties and children; texts are never read as markup. */
  const make = (tag, properties = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
    element.append(...children.filter((child) => child !== null));
    return element;
  };

  const picture = (address, alt, kind) => make("img", { src: address, alt, class: kind, loading: "lazy", decoding: "async", draggable: "false" });

  const slider = (row) => {
    const range = make("input", { type: "range", min: "0", max: "100", step: "1", value: "50", "aria-label": `${row.name}: how much of the photo before is shown` });
    const pair = make("div", { class: "pair" },
      picture(row.after, `${row.name}, after`, "after"), picture(row.before, `${row.name}, before`, "before"),
      make("span", { class: "edge", "aria-hidden": "true" }),
      make("span", { class: "tag left", "aria-hidden": "true" }, "before"), make("span", { class: "tag right", "aria-hidden": "true" }, "after"), range);
    const show = () => {
      pair.style.setProperty("--split", `${range.value}%`);
      range.setAttribute("aria-valuetext", `${range.value} % before`);
      pair.querySelector(".left").hidden = range.value < 12;
      pair.querySelector(".right").hidden = range.value > 88;
    };
    const follow = (event) => {
      const place = pair.getBoundingClientRect();
      range.value = Math.round((100 * (event.clientX - place.left)) / place.width);
      show();
    };
    pair.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      pair.setPointerCapture(event.pointerId);
      range.focus({ preventScroll: true });
      follow(event);
    });
    pair.addEventListener("pointermove", (event) => { if (pair.hasPointerCapture(event.pointerId)) follow(event); });
    range.addEventListener("input", show);
    show();
    return pair;
  };

  const term = (name, value) => make("div", {}, make("dt", {}, name), make("dd", {}, value));
  const WORDS = { rate: "frames/s", found: "shots done before" }; // of a film; other keys speak for themselves
  const words = (key) => WORDS[key] ?? key.replaceAll("_", " ");
  const told = (value) => typeof value === "number" ? String(Number(value.toPrecision(6))) : value === null ? "–" : String(value);

  const figures = (row) => {
    const shown = Object.entries(FIGURES).filter(([name]) => figure(row, name) !== null);
    if (!shown.length) return null;
    return make("dl", { class: "figures" }, ...shown.map(([name, [label, unit, digits]]) => term(label, row.figures[name].toFixed(digits) + unit)));
  };

  /** Whatever a film's row carries: plain values as terms, lists of objects as tables. */
  const film = (facts) => {
    const plain = Object.entries(facts).filter(([, value]) => value === null || typeof value !== "object");
    const nested = Object.entries(facts).filter(([, value]) => value !== null && typeof value === "object" && !Array.isArray(value));
    const terms = [...plain, ...nested.flatMap(([key, value]) => Object.entries(value).map(([name, one]) => [`${key} ${name}`, one]))];
    const tables = Object.entries(facts).filter(([, value]) => Array.isArray(value) && value.length && typeof value[0] === "object");
    return [make("dl", { class: "figures" }, ...terms.map(([name, value]) => term(words(name), told(value)))), ...tables.map(([name, list]) => table(name, list))];
  };

  const table = (name, list) => {
    const columns = [...new Set(list.flatMap(Object.keys))].filter((column) => list.some((one) => one[column] !== null && one[column] !== undefined));
    const line = (cells, tag) => make("tr", {}, ...cells.map((cell) => make(tag, {}, cell)));
    const body = list.map((one, n) => line([String(n + 1), ...columns.map((column) => told(one[column] ?? null))], "td"));
    const head = make("thead", {}, line(["", ...columns.map(words)], "th"));
    return make("details", {}, make("summary", {}, `${count(list.length)} ${list.length === 1 ? words(name).replace(/s$/, "") : words(name)}`), make("div", { class: "table", tabindex: "0", role: "region", "aria-label": words(name) }, make("table", {}, head, make("tbody", {}, ...body))));
  };

  const reference = (row) => {
    if (!row.reference) return null;
    const shown = row.reference.picture ? [picture(row.reference.picture, "", "")] : [];
    return make("div", { class: "reference" }, ...shown, make("span", {}, `after ${row.reference.name}`));
  };

  const card = (row) => {
    const line = make("div", { class: "line" }, make("span", { class: `state ${row.state}` }, STATES[row.state]),
      row.link ? make("a", { href: row.link }, "open the result") : null, row.stage ? make("span", {}, `while it was to ${STAGES[row.stage] ?? row.stage}`) : null);
    const text = make("div", { class: "text" }, make("h2", {}, row.name), line,
      row.reason ? make("p", { class: "reason" }, row.reason) : null, figures(row), ...(row.film ? film(row.film) : []), reference(row),
      row.notes?.length ? make("ul", { class: "notes" }, ...row.notes.map((note) => make("li", {}, note))) : null);
    const element = make("article", { class: "card" }, row.before ? slider(row) : null, text);
    const ratio = row.before ? row.width / row.height : 1.3;
    element.style.setProperty("--ratio", ratio);
    element.style.setProperty("--wide", Math.min(Math.max(ratio, 1), 2.4)); // beyond these a picture has margins
    return element;
  };
  const STAGES = { discover: "be found", decode: "be read", infer: "be coloured", encode: "be written", film: "be coloured" };

  let first = 0;
  let chosen = rows;
  const show = () => {
    const cards = chosen.slice(first, first + PAGE).map(card);
    at("cards").replaceChildren(...(cards.length ? cards : [make("p", { class: "none quiet" }, "Nothing is called so.")]));
    at("cards").classList.toggle("few", cards.length < 3);
    const last = first + cards.length;
    at("shown").textContent = chosen.length === rows.length ? `${count(rows.length)} in all` : `${count(chosen.length)} of ${count(rows.length)}`;
    at("which").textContent = `${count(first + 1)} to ${count(last)} of ${count(chosen.length)}`;
    document.querySelector(".pager").hidden = chosen.length <= PAGE;
    at("earlier").disabled = first === 0;
    at("later").disabled = last >= chosen.length;
  };
  const choose = () => {
    const [name, state] = [at("name").value.trim().toLowerCase(), at("state").value];
    const order = ORDERS.find(([key]) => key === at("order").value)[2];
    chosen = rows.filter((row) => (!state || row.state === state) && row.name.toLowerCase().includes(name)).sort(order);
    first = 0;
    show();
  };
  const turn = (by) => {
    first += by * PAGE;
    show();
    at("cards").scrollIntoView();
  };
  for (const state of Object.keys(STATES)) if (rows.some((row) => row.state === state)) at("state").append(make("option", { value: state }, STATES[state]));
  for (const [key, label] of ORDERS) at("order").append(make("option", { value: key }, label));
  at("name").addEventListener("input", choose);
  for (const id of ["state", "order"]) at(id).addEventListener("change", choose);
  at("earlier").addEventListener("click", () => turn(-1));
  at("later").addEventListener("click", () => turn(1));
  document.querySelector(".controls").addEventListener("submit", (event) => event.preventDefault());
  document.querySelector("main").hidden = rows.length === 0;
  choose();
})();
