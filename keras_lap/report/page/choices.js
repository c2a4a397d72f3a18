// What is picked, and what follows from it.

function setOptions(key, options) {
  for (const select of every(`select[data-state="${key}"]`)) {
    select.replaceChildren(...options.map(([value, name]) => html("option", { value }, name)));
  }
}

function setConcepts(before) {
  const { concepts } = layers[state.layer];
  const roles = rolesOf(state.layer);
  const kept =
    before === null || state.concept in ROLES
      ? -1
      : concepts.indexOf(layers[before].concepts[state.concept]);
  if (kept >= 0) state.concept = String(kept);
  else if (!roles.includes(state.concept)) state.concept = roles[0] ?? "0";
  for (const select of every('select[data-state="concept"]')) {
    const named = concepts.map((name, column) => html("option", { value: column }, name));
    const byRole = roles.map((role) => html("option", { value: role }, ROLES[role].name));
    select.replaceChildren(
      ...(roles.length
        ? [
            html("optgroup", { label: "Each sample’s own" }, ...byRole),
            html("optgroup", { label: "The same for all" }, ...named),
          ]
        : named),
    );
  }
}

function mirror() {
  for (const control of every("[data-state]")) {
    const value = state[control.dataset.state];
    if (control.type === "checkbox") control.checked = value;
    else control.value = value;
    if (control.type === "range") control.nextElementSibling.textContent = `${value}\u00a0%`;
  }
  document.documentElement.style.setProperty("--opacity", Number(state.opacity) / 100);
  document.body.classList.toggle("plain", !state.map || Number(state.opacity) === 0);
  document.body.classList.toggle("outlined", state.outline);
  one(".scale").lastElementChild.textContent =
    state.scale === "own"
      ? "maximum of each map"
      : `${number(strongest[state.layer])}, maximum of the layer`;
}

function choose(changes) {
  const before = state.layer;
  Object.assign(state, changes);
  if (state.layer !== before) setConcepts(before);
  mirror();
  const changed = (...keys) => keys.some((key) => key in changes);
  if (changed("layer")) samples.forEach(describe);
  if (changed("layer", "sort", "right", "label", "predicted")) arrange();
  if (changed("layer", "concept", "scale")) {
    shown.forEach(draw);
    if (opened) fillDialog();
  }
}

for (const control of every("[data-state]")) {
  const event = control.type === "range" ? "input" : "change";
  control.addEventListener(event, () =>
    choose({
      [control.dataset.state]: control.type === "checkbox" ? control.checked : control.value,
    }),
  );
}
one("#samples form").addEventListener("reset", (event) => {
  event.preventDefault();
  choose({ ...defaults, concept: rolesOf(defaults.layer)[0] ?? "0" });
});
for (const form of every("form"))
  form.addEventListener("submit", (event) => event.preventDefault());

for (const element of every("[data-needs]")) if (!has[element.dataset.needs]) element.remove();
const used = (indices) => [
  ["", "any"],
  ...[...new Set(indices)].sort((a, b) => a - b).map((index) => [index, classes[index]]),
];
setOptions(
  "layer",
  layers.map((layer, index) => [index, layer.name]),
);
setOptions("label", used(samples.flatMap((sample) => sample.labels)));
setOptions(
  "predicted",
  used(samples.flatMap((sample) => sample.models.flatMap((facts) => facts.predicted))),
);
setConcepts(null);

const known = samples.map((sample) => factsOf(sample).right).filter((right) => right !== null);
one("#summary").textContent = [
  samples.length < total
    ? `${samples.length} of ${total} samples`
    : `${total} samples`,
  known.length
    ? `${percent(known.filter(Boolean).length / known.length)} of those shown predicted right`
    : "",
  layers.length > 1 ? `${layers.length} explanations` : layers[0].name,
]
  .filter(Boolean)
  .join(" · ");
one("#definitions").append(
  ...[
    "Numbers of samples count from 0. Confidence is the probability of the likeliest class. The runner-up is the likeliest class that is not predicted. The strength of a map is its highest value.",
    has.masks
      ? "Disagreement with the mask is 1 − Σ max(m, 0) in the mask / Σ max(m, 0) in the image, for the map m of the label, or the only one, whichever class it is for: the share of its energy outside of the mask. It is 1 for a map without positive values and missing where the mask is empty."
      : null,
    "Where a map is highest is said in thirds of the image. Area is the share of the image with at least half of that value.",
  ]
    .filter(Boolean)
    .map((text) => html("p", {}, text)),
);

mirror();
samples.forEach(describe);
arrange();
for (const { item } of cards.values()) watcher.observe(item);
document.documentElement.dataset.ready = "";
