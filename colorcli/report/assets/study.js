"use strict";
(() => {
  const study = JSON.parse(document.getElementById("study").textContent);
  const pictures = JSON.parse(document.getElementById("pictures").textContent);
  const at = (id) => document.getElementById(id);
  const items = study.items.map(([photo, folders]) => ({ photo, folders }));
  const prefers = study.kind === "prefer";
  const answers = new Map(); // number of an item -> true, false, or the folder that is preferred
  let now = 0;
  let saved = true;

  const choices = (item) => prefers
    ? [["The first one", item.folders[0], ["ArrowLeft", "1"]], ["The second one", item.folders[1], ["ArrowRight", "2"]]]
    : [["Natural", true, ["n", "1"]], ["Not natural", false, ["x", "2"]]];

  const show = () => {
    const item = items[now];
    const done = item === undefined;
    at("progress").textContent = done ? `All ${items.length} answered. Thank you: save your answers.` : `${now + 1} of ${items.length}`;
    at("shown").replaceChildren(...(done ? [] : item.folders.map((folder, place) => {
      const picture = document.createElement("img");
      picture.src = pictures[item.photo][folder];
      picture.alt = prefers ? `The photo coloured, ${["first", "second"][place]}` : "A photo in colour";
      return picture;
    })));
    at("answers").replaceChildren(...(done ? [] : choices(item).map(([label, value]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = label;
      button.setAttribute("aria-pressed", String(answers.get(now) === value));
      button.addEventListener("click", () => answer(value));
      return button;
    })));
    at("back").disabled = now === 0;
    at("save").disabled = answers.size === 0;
    at("hint").hidden = done;
  };
  const answer = (value) => {
    answers.set(now, value);
    saved = false;
    now += 1;
    show();
  };
  const save = () => {
    const given = [...answers].sort(([a], [b]) => a - b).map(([number, value]) => ({
      photo: items[number].photo, folders: items[number].folders, ...(prefers ? { preferred: value } : { natural: value }),
    }));
    const { format, kind, seed, folders, photos } = study;
    const text = JSON.stringify({ format, kind, seed, folders, photos, questions: items.length, answers: given }, null, 1);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text + "\n"], { type: "application/json" }));
    link.download = "study-answers.json";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    saved = true;
  };

  at("back").addEventListener("click", () => { now -= 1; show(); });
  at("save").addEventListener("click", save);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || items[now] === undefined) return;
    const chosen = choices(items[now]).find(([, , keys]) => keys.includes(event.key));
    if (chosen) {
      event.preventDefault();
      answer(chosen[1]);
    }
  });
  addEventListener("beforeunload", (event) => { if (!saved) event.preventDefault(); });
  at("answers").classList.toggle("two", prefers);
  at("hint").textContent = `Keys: ${prefers ? "← or 1 for the first, → or 2 for the second" : "N or 1 for natural, X or 2 for not natural"}.`;
  document.querySelector("main").hidden = false;
  show();
})();
