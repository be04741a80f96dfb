// The piano roll: notes of the four parts over the bars, chord names above, and MelodyTransformer's probability of each
// pitch in each bar as shades.

const LOWEST = 36, HIGHEST = 96, DRUM_ROWS = { [K.KICK]: 2, [K.SNARE]: 1, [K.HAT]: 0 };

function drawRoll(canvas, phrase, position) {
  const ratio = window.devicePixelRatio || 1, { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const draw = canvas.getContext("2d"), style = getComputedStyle(canvas);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  draw.setTransform(ratio, 0, 0, ratio, 0, 0);
  draw.clearRect(0, 0, width, height);
  const left = 30, top = 22, drums = 30, length = phrase.bars * K.BAR_TICKS;
  const step = (height - top - drums) / (HIGHEST - LOWEST + 1);
  const x = (tick) => left + ((width - left) * tick) / length;
  const y = (pitch) => top + (HIGHEST - pitch) * step;
  draw.font = "12px system-ui, sans-serif";
  draw.textBaseline = "middle";

  phrase.pitches.forEach((probabilities, bar) => probabilities.forEach((probability, pitch) => {
    if (probability < 0.02 || pitch < LOWEST || pitch > HIGHEST) return;
    draw.globalAlpha = 0.45 * Math.min(probability, 1);
    draw.fillStyle = colour("melody");
    draw.fillRect(x(bar * K.BAR_TICKS), y(pitch), x(K.BAR_TICKS) - x(0), step);
  }));
  draw.globalAlpha = 1;
  for (let pitch = LOWEST; pitch <= HIGHEST; pitch += 12) {
    line(draw, colour("line"), left, y(pitch) + step, width, y(pitch) + step);
    draw.fillStyle = colour("quiet");
    draw.fillText(`C${pitch / 12 - 1}`, 4, y(pitch) + step / 2);
  }
  phrase.chords.forEach((chord, bar) => {
    line(draw, colour("line"), x(bar * K.BAR_TICKS), top, x(bar * K.BAR_TICKS), height);
    draw.fillStyle = colour("ink");
    draw.fillText(K.CHORD_NAMES[chord], x(bar * K.BAR_TICKS) + 3, top / 2, x(K.BAR_TICKS) - x(0) - 4);
  });
  for (const { part, onset, duration, pitch, velocity } of phrase.notes) {
    draw.globalAlpha = 0.35 + (0.65 * velocity) / 127;
    draw.fillStyle = colour(part);
    const row = DRUM_ROWS[pitch];
    if (part === "drums") draw.fillRect(x(onset), height - drums + 3 + row * 9, Math.max(2, x(60) - x(0)), 7);
    else draw.fillRect(x(onset), y(pitch), Math.max(2, x(duration) - x(0) - 1), Math.max(step, 3));
  }
  draw.globalAlpha = 1;
  if (position !== null) line(draw, colour("accent"), x(position), 0, x(position), height, 2);
}

function line(draw, stroke, fromX, fromY, toX, toY, lineWidth = 1) {
  draw.strokeStyle = stroke;
  draw.lineWidth = lineWidth;
  draw.beginPath();
  draw.moveTo(fromX, fromY);
  draw.lineTo(toX, toY);
  draw.stroke();
}
