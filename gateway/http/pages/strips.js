// How well the caller was heard over time: a thin line for each figure, on the call's own axis.

const HEIGHT = 17; // of one strip, pixels
const INSET = 3;
const FIGURES = [
  { name: "MOS", of: (point) => point.mos, from: 1, to: () => 4.5, colour: "good", shown: (value) => value.toFixed(1) },
  { name: "loss", of: (point) => point.loss_percent, from: 0, to: (most) => Math.max(5, most), colour: "danger", shown: (value) => `${value} %` },
  { name: "jitter", of: (point) => point.jitter_ms, from: 0, to: (most) => Math.max(20, most), colour: "warn", shown: (value) => `${value} ms` },
  { name: "round trip", of: (point) => point.round_trip_ms, from: 0, to: (most) => Math.max(100, most), colour: "muted", shown: (value) => `${value} ms` },
];

/** The figures that are known of a call. */
export function figuresOf(story) {
  const { points } = story.quality;
  return points.length ? FIGURES.filter((figure) => points.some((point) => figure.of(point) !== null)) : [];
}

export function stripsHeight(story) {
  return figuresOf(story).length * HEIGHT;
}

export function strips({ pen, colour, x, font }, row, story) {
  const { points } = story.quality;
  figuresOf(story).forEach((figure, number) => {
    const top = row.top + number * HEIGHT;
    const values = points.map(figure.of);
    const most = figure.to(Math.max(...values.filter((value) => value !== null)));
    const y = (value) => top + HEIGHT - INSET - ((HEIGHT - 2 * INSET) * (value - figure.from)) / (most - figure.from);
    pen.strokeStyle = pen.fillStyle = colour(figure.colour);
    pen.lineWidth = 1.3;
    pen.beginPath();
    let before = 0;
    points.forEach((point, place) => {
      const value = values[place];
      if (value !== null) {
        pen.moveTo(x(before), y(value)); // it is of all the seconds since the point before
        pen.lineTo(x(point.at), y(value));
        if (values[place + 1] != null) pen.lineTo(x(point.at), y(values[place + 1]));
      }
      before = point.at;
    });
    pen.stroke();
    pen.font = `600 10px ${font}`;
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    pen.fillText(figure.name, 9, top + HEIGHT / 2);
  });
}

/** What the figures were at a moment, each as a name and words. */
export function figuresAt(story, time) {
  const point = story.quality.points.find((one) => time <= one.at);
  if (!point) return [];
  const known = figuresOf(story).filter((figure) => figure.of(point) !== null);
  return [...known.map((figure) => [figure.name, figure.shown(figure.of(point))]), ["codec", point.codec]];
}
