// A sample, larger, with its evidence.

const dialog = one("dialog");
let opened = null;
let allConcepts = false;

function tile(sample, layer, column, name, pressed, choose) {
  const view = picture(sample);
  view.show(layer, column, "");
  const concept = column === null ? null : sample.maps[layer].concepts[column];
  const button = html(
    "button",
    { type: "button", class: "tile", "aria-pressed": String(pressed) },
    view.element,
    html("span", {}, name),
    html("small", {}, concept === null ? "no map" : `max ${number(concept.strength)}`),
  );
  button.addEventListener("click", choose);
  return button;
}

function tiles(heading, buttons) {
  return html("section", {}, html("h3", {}, heading), html("div", { class: "tiles" }, ...buttons));
}

const bar = (share) =>
  html("span", {
    class: "share",
    "aria-hidden": "true",
    style: `--share: ${Math.min(1, Math.max(0, share ?? 0))}`,
  });

function predictionPart(sample) {
  const facts = factsOf(sample);
  const rows = [
    ["File", sample.file],
    ["Label", sample.labels.length ? listed(sample.labels) : null],
  ];
  if (facts.likely.length) {
    rows.push([
      "Prediction",
      html("span", {}, listed(facts.predicted), " ", ...[verdict(facts)].filter(Boolean)),
    ]);
    const second = runnerUp(facts);
    if (second) {
      const behind = facts.likely[0][1] - second[1];
      rows.push([
        "Runner-up",
        `${classes[second[0]]}, ${percent(second[1])}` +
          (facts.predicted.length ? `, behind by ${percent(behind)}` : ""),
      ]);
    }
  }
  if (disagreement(sample) !== null)
    rows.push(["Disagreement with the mask", number(disagreement(sample))]);
  const known = html(
    "dl",
    {},
    ...rows
      .filter(([, value]) => value !== null)
      .flatMap(([name, value]) => [html("dt", {}, name), html("dd", {}, value)]),
  );
  const likely = facts.likely.length
    ? html(
        "table",
        { class: "likely" },
        html("caption", {}, "Likeliest classes"),
        html(
          "tbody",
          {},
          ...facts.likely.map(([index, share]) =>
            html(
              "tr",
              {},
              html(
                "th",
                { scope: "row" },
                classes[index],
                sample.labels.includes(index) ? html("small", {}, " label") : null,
              ),
              html("td", {}, bar(share)),
              html("td", {}, percent(share)),
            ),
          ),
        ),
      )
    : null;
  return html("section", {}, html("h3", {}, "Prediction"), known, likely);
}

function conceptRow(sample, column) {
  const concept = sample.maps[state.layer].concepts[column];
  const name = html(
    "button",
    { type: "button", class: "link", "aria-pressed": String(columnOf(sample) === column) },
    layers[state.layer].concepts[column],
  );
  name.addEventListener("click", () => choose({ concept: String(column) }));
  return html(
    "tr",
    {},
    html("th", { scope: "row" }, name),
    html("td", {}, bar(concept.score)),
    html("td", {}, number(concept.score)),
    html("td", {}, number(concept.strength)),
    html("td", {}, where(concept.place)),
    html("td", {}, percent(concept.area)),
    has.masks ? html("td", {}, percent(concept.inside)) : null,
  );
}

function conceptsPart(sample) {
  const { concepts } = sample.maps[state.layer];
  const order = concepts
    .map((_, column) => column)
    .sort((a, b) => concepts[b].score - concepts[a].score);
  const head = ["Concept", "", "Score", "Maximum", "Where", "Area"].concat(
    has.masks ? ["In mask"] : [],
  );
  const table = html(
    "table",
    { class: "concepts" },
    html("caption", {}, `Concepts of ${layers[state.layer].name}, strongest first`),
    html(
      "thead",
      {},
      html(
        "tr",
        {},
        ...head.map((name) => (name ? html("th", { scope: "col" }, name) : html("td", {}))),
      ),
    ),
    html(
      "tbody",
      {},
      ...order.slice(0, allConcepts ? undefined : 6).map((column) => conceptRow(sample, column)),
    ),
  );
  const part = html(
    "section",
    {},
    html("h3", {}, "Concepts"),
    html("div", { class: "scroll" }, table),
  );
  if (order.length > 6) {
    const more = html(
      "button",
      { type: "button", "aria-pressed": String(allConcepts) },
      `All ${order.length} concepts`,
    );
    more.addEventListener("click", () => {
      allConcepts = !allConcepts;
      fillDialog();
    });
    part.append(more);
  }
  return part;
}

function contrast(sample) {
  const roles = rolesOf(state.layer).filter((role) => role === "predicted" || role === "second");
  return roles.length < 2
    ? null
    : tiles(
        "Prediction and runner-up",
        roles.map((role) => {
          const column = columnOf(sample, state.layer, role);
          const name = column === null ? ROLES[role].name : layers[state.layer].concepts[column];
          return tile(sample, state.layer, column, name, state.concept === role, () =>
            choose({ concept: role }),
          );
        }),
      );
}

function fillDialog() {
  const sample = opened;
  const column = columnOf(sample);
  const at = shown.indexOf(sample);
  one("#sample-heading").textContent = `Sample ${sample.index}`;
  one("#position").textContent = `${at + 1} of ${shown.length} shown`;
  one('[data-step="-1"]').disabled = at === 0;
  one('[data-step="1"]').disabled = at === shown.length - 1;
  const view = picture(sample);
  const words = description(sample, state.layer, column);
  view.show(state.layer, column, words);
  one(".large").replaceChildren(view.element);
  one(".shown").textContent = words;
  const pressed = document.activeElement?.closest(".evidence button")?.textContent;
  one(".evidence").replaceChildren(
    ...[
      predictionPart(sample),
      conceptsPart(sample),
      contrast(sample),
      layers.length < 2
        ? null
        : tiles(
            "Layers and explainers",
            layers.map((layer, index) =>
              tile(
                sample,
                String(index),
                columnOf(sample, String(index)),
                layer.name,
                String(index) === state.layer,
                () => choose({ layer: String(index) }),
              ),
            ),
          ),
    ].filter(Boolean),
  );
  // What was pressed is drawn anew, and keeps the focus.
  if (pressed)
    every(".evidence button")
      .find((button) => button.textContent === pressed)
      ?.focus();
}

function open(sample) {
  opened = sample;
  fillDialog();
  dialog.showModal();
  one("#sample-heading").focus();
}

function step(by) {
  const next = shown[shown.indexOf(opened) + by];
  if (!next) return;
  opened = next;
  fillDialog();
  one(".sample").scrollTop = 0;
  if (document.activeElement.disabled || document.activeElement === document.body)
    one("#sample-heading").focus();
}

for (const button of every("[data-step]"))
  button.addEventListener("click", () => step(Number(button.dataset.step)));
one("[data-close]").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});
dialog.addEventListener("keydown", (event) => {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (
    by &&
    !event.target.matches("input, select, .scroll") &&
    !event.altKey &&
    !event.ctrlKey &&
    !event.metaKey
  ) {
    event.preventDefault();
    step(by);
  }
});
dialog.addEventListener("close", () => {
  rove(opened);
  opened = null;
  arrange();
  if (current) cards.get(current).button.focus();
});
