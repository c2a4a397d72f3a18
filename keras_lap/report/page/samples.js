// What is known of a sample, and its picture under a map.

const has = {
  labels: samples.some((sample) => sample.labels.length),
  verdicts: samples.some((sample) => sample.models.some((facts) => facts.right !== null)),
  masks: samples.some((sample) => sample.mask !== null),
  disagreement: samples.some((sample) => sample.maps.some((map) => map.disagreement !== null)),
  predictions: samples.some((sample) => sample.models.some((facts) => facts.likely.length)),
};
const strongest = layers.map((_, layer) =>
  samples
    .flatMap((sample) => sample.maps[layer].concepts)
    .reduce((highest, concept) => Math.max(highest, concept.strength), 0),
);

const defaults = {
  layer: "0",
  concept: "",
  scale: "own",
  map: true,
  opacity: "50",
  outline: has.masks,
  sort: "index",
  right: "",
  label: "",
  predicted: "",
};
const state = { ...defaults };

const factsOf = (sample, layer = state.layer) => sample.models[layers[layer].model];
const confidence = (sample) => factsOf(sample).likely[0]?.[1] ?? null;
const disagreement = (sample) => sample.maps[state.layer].disagreement;

// The likeliest class that is not predicted, with its probability; of few listed ones.
const runnerUp = ({ likely, predicted }) => likely.find(([index]) => !predicted.includes(index));

const ROLES = {
  label: { name: "of the label", classes: (sample) => sample.labels },
  predicted: {
    name: "of the prediction",
    classes: (sample, layer) => factsOf(sample, layer).predicted,
  },
  second: {
    name: "of the runner-up",
    classes: (sample, layer) => runnerUp(factsOf(sample, layer))?.slice(0, 1) ?? [],
  },
  strongest: { name: "the strongest", classes: null },
};

function rolesOf(layer) {
  if (layers[layer].concepts.length === 1) return [];
  const speaking = Object.keys(layers[layer].of_class).length > 0;
  return [
    speaking && has.labels && "label",
    speaking && has.predictions && "predicted",
    speaking && has.predictions && "second",
    "strongest",
  ].filter(Boolean);
}

// The position of the concept to show, or null where the layer has none such.
function columnOf(sample, layer = state.layer, concept = state.concept) {
  const { concepts } = sample.maps[layer];
  if (concepts.length === 1) return 0;
  if (!(concept in ROLES)) {
    const found = layers[layer].concepts.indexOf(layers[state.layer].concepts[concept]);
    return layer === state.layer ? Number(concept) : found < 0 ? null : found;
  }
  const { classes: wanted } = ROLES[concept];
  const columns =
    wanted === null
      ? concepts.map((_, column) => column)
      : wanted(sample, layer).flatMap((index) => layers[layer].of_class[index] ?? []);
  return columns.length
    ? columns.reduce((best, column) =>
        concepts[column].score > concepts[best].score ? column : best,
      )
    : null;
}

function verdict(facts) {
  if (facts.right === null) return null;
  return facts.right
    ? html("span", { class: "right" }, "✓", spoken("right"))
    : html("span", { class: "wrong" }, "✗", spoken("wrong"));
}

function sentence(sample) {
  const facts = factsOf(sample);
  const parts = [`Sample ${sample.index}`];
  if (facts.likely.length)
    parts.push(`predicted ${listed(facts.predicted)} with ${percent(facts.likely[0][1])}`);
  if (sample.labels.length) parts.push(`label ${listed(sample.labels)}`);
  if (facts.right !== null) parts.push(facts.right ? "right" : "wrong");
  if (disagreement(sample) !== null)
    parts.push(`disagreement with the mask ${number(disagreement(sample))}`);
  return parts.join(", ");
}

function description(sample, layer, column) {
  if (column === null) return `Sample ${sample.index}. This layer has no map for that concept.`;
  const concept = sample.maps[layer].concepts[column];
  const name = `Sample ${sample.index}. Map of “${layers[layer].concepts[column]}” in “${layers[layer].name}”`;
  if (concept.place === null) return `${name}: nowhere above zero.`;
  const inside =
    concept.inside === null ? "" : `, ${percent(concept.inside)} of its energy in the mask`;
  return (
    `${name}: highest, ${number(concept.strength)}, at the ${where(concept.place)}; ` +
    `at least half of that on ${percent(concept.area)} of the image${inside}.`
  );
}

const source = (text) => `data:image/webp;base64,${text}`;
const pictures = new Map();

// The picture with all maps of a sample and layer, decoded; the latest ones are kept.
function decoded(text) {
  const known = pictures.get(text);
  pictures.delete(text);
  const image = known ?? new Image();
  pictures.set(text, image);
  if (!known) image.src = source(text);
  if (pictures.size > 120) pictures.delete(pictures.keys().next().value);
  return image.decode().then(() => image);
}

function picture(sample) {
  const image = html("img", { alt: "", draggable: "false" });
  const heat = html("canvas", { class: "heat", "aria-hidden": "true" });
  const outline =
    sample.mask === null ? null : html("img", { class: "outline", alt: "", draggable: "false" });
  let latest = 0;
  return {
    element: html("span", { class: "picture" }, image, heat, outline),
    async show(layer, column, alt = "") {
      const turn = ++latest;
      image.alt = alt;
      if (!image.src) image.src = source(sample.image);
      if (outline && !outline.src) outline.src = source(sample.mask);
      heat.hidden = column === null;
      if (column === null) return;
      const { picture: text, concepts } = sample.maps[layer];
      const all = await decoded(text);
      if (turn !== latest) return;
      const { across } = layers[layer];
      const width = all.naturalWidth / across;
      const height = all.naturalHeight / Math.ceil(concepts.length / across);
      [heat.width, heat.height] = [width, height];
      heat
        .getContext("2d")
        .drawImage(
          all,
          (column % across) * width,
          Math.floor(column / across) * height,
          width,
          height,
          0,
          0,
          width,
          height,
        );
      const share = state.scale === "own" ? 1 : concepts[column].strength / (strongest[layer] || 1);
      heat.style.filter = `brightness(${Math.max(share, 0)}) url(#heat)`;
      heat.dataset.shows = `${layer} ${column}`;
    },
    hide() {
      latest += 1;
      image.removeAttribute("src");
      outline?.removeAttribute("src");
      heat.width = heat.height = 0;
      delete heat.dataset.shows;
    },
  };
}
