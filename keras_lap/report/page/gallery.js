// The gallery: samples in rows.

const list = one(".gallery");
let shown = [];
let current = null;

const cards = new Map(
  samples.map((sample) => {
    const view = picture(sample);
    const caption = html("span", { class: "caption", "aria-hidden": "true" });
    const button = html("button", { type: "button", tabindex: "-1" }, view.element, caption);
    const item = html("li", {}, button);
    button.addEventListener("click", () => open(sample));
    return [sample, { view, caption, button, item, visible: false }];
  }),
);
const sampleOf = new Map([...cards].map(([sample, card]) => [card.item, sample]));

function draw(sample) {
  const { view, visible } = cards.get(sample);
  if (visible) view.show(state.layer, columnOf(sample));
  else view.hide();
}

// Pictures exist only where they are seen, and a little beyond.
const watcher = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      const sample = sampleOf.get(entry.target);
      const card = cards.get(sample);
      if (card.visible !== entry.isIntersecting) {
        card.visible = entry.isIntersecting;
        draw(sample);
      }
    }
  },
  { rootMargin: "300px" },
);

function describe(sample) {
  const { button, caption } = cards.get(sample);
  const facts = factsOf(sample);
  const labels = sample.labels.length ? `label ${listed(sample.labels)}` : "";
  const outside = disagreement(sample) === null ? "" : `${percent(disagreement(sample))} outside`;
  caption.replaceChildren(
    html(
      "span",
      { class: "line" },
      ...[verdict(facts)].filter(Boolean),
      html(
        "b",
        {},
        facts.likely.length ? listed(facts.predicted) : (sample.file ?? `Sample ${sample.index}`),
      ),
      html("span", {}, facts.likely.length ? percent(confidence(sample)) : ""),
    ),
    html(
      "span",
      { class: "line small" },
      html("span", {}, labels || (sample.file ?? `sample ${sample.index}`)),
      html("span", {}, outside),
    ),
  );
  button.setAttribute("aria-label", sentence(sample));
}

// Missing values come last, whichever way the others are sorted.
const ORDERS = {
  index: [(sample) => sample.index, 1],
  unsure: [confidence, 1],
  sure: [confidence, -1],
  disagree: [disagreement, -1],
  agree: [disagreement, 1],
};

function arrange() {
  const [key, sign] = ORDERS[state.sort];
  const rank = (sample) => (key(sample) === null ? Infinity : sign * key(sample));
  const fits = (sample) => {
    const facts = factsOf(sample);
    if (sample === opened) return true; // It stays as long as it is looked at.
    return (
      (state.right === "" || String(facts.right) === state.right) &&
      (state.label === "" || sample.labels.includes(Number(state.label))) &&
      (state.predicted === "" || facts.predicted.includes(Number(state.predicted)))
    );
  };
  shown = samples
    .filter(fits)
    .map((sample) => [rank(sample), sample])
    .sort(([a, first], [b, second]) => (a === b ? first.index - second.index : a < b ? -1 : 1))
    .map(([, sample]) => sample);
  list.replaceChildren(...shown.map((sample) => cards.get(sample).item));
  one("#count").textContent = shown.length
    ? `${shown.length} of ${samples.length} samples`
    : "No sample fits. Reset the choices to see all.";
  rove(shown.includes(current) ? current : (shown[0] ?? null));
}

function rove(sample) {
  if (current !== null) cards.get(current).button.tabIndex = -1;
  current = sample;
  if (sample !== null) cards.get(sample).button.tabIndex = 0;
}

list.addEventListener("keydown", (event) => {
  const at = shown.indexOf(current);
  const top = list.children[0]?.offsetTop;
  const across = [...list.children].findIndex((item) => item.offsetTop !== top);
  const row = across < 0 ? shown.length : across;
  const moves = {
    ArrowRight: at + 1,
    ArrowLeft: at - 1,
    ArrowDown: at + row,
    ArrowUp: at - row,
    Home: 0,
    End: shown.length - 1,
  };
  if (!(event.key in moves) || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const next = shown[moves[event.key]];
  if (next) {
    rove(next);
    cards.get(next).button.focus();
  }
});
list.addEventListener("focusin", (event) => rove(sampleOf.get(event.target.closest("li"))));
