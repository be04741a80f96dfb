// The piano roll: notes of the four parts over the bars, chords above, and how probable MelodyTransformer holds each
// pitch of each bar, as shades.

const LOWEST = 36, HIGHEST = 96, DRUM_ROWS = { [K.KICK]: 2, [K.SNARE]: 1, [K.HAT]: 0 };

function drawRoll(canvas, phrase, position) {
  const ratio = window.devicePixelRatio || 1, { clientWidth: wide, clientHeight: high } = canvas;
  if (canvas.width !== Math.round(wide * ratio) || canvas.height !== Math.round(high * ratio)) {
    canvas.width = Math.round(wide * ratio);
    canvas.height = Math.round(high * ratio);
  }
  const draw = canvas.getContext("2d"), style = getComputedStyle(canvas);
  const ink = (name) => style.getPropertyValue(`--${name}`).trim();
  draw.setTransform(ratio, 0, 0, ratio, 0, 0);
  draw.clearRect(0, 0, wide, high);
  const left = 30, top = 22, drums = 30, length = phrase.bars * K.BAR;
  const step = (high - top - drums) / (HIGHEST - LOWEST + 1);
  const x = (tick) => left + ((wide - left) * tick) / length;
  const y = (pitch) => top + (HIGHEST - pitch) * step;
  draw.font = "12px system-ui, sans-serif";
  draw.textBaseline = "middle";

  phrase.pitches.forEach((chances, bar) => chances.forEach((chance, pitch) => {
    if (chance < 0.02 || pitch < LOWEST || pitch > HIGHEST) return;
    draw.globalAlpha = 0.45 * Math.min(chance, 1);
    draw.fillStyle = ink("melody");
    draw.fillRect(x(bar * K.BAR), y(pitch), x(K.BAR) - x(0), step);
  }));
  draw.globalAlpha = 1;
  for (let pitch = LOWEST; pitch <= HIGHEST; pitch += 12) {
    line(draw, ink("line"), left, y(pitch) + step, wide, y(pitch) + step);
    draw.fillStyle = ink("quiet");
    draw.fillText(`C${pitch / 12 - 1}`, 4, y(pitch) + step / 2);
  }
  phrase.chords.forEach((chord, bar) => {
    line(draw, ink("line"), x(bar * K.BAR), top, x(bar * K.BAR), high);
    draw.fillStyle = ink("ink");
    draw.fillText(K.CHORD_NAMES[chord], x(bar * K.BAR) + 3, top / 2, x(K.BAR) - x(0) - 4);
  });
  for (const { part, onset, duration, pitch, velocity } of phrase.notes) {
    draw.globalAlpha = 0.35 + (0.65 * velocity) / 127;
    draw.fillStyle = ink(part);
    const row = DRUM_ROWS[pitch];
    if (part === "drums") draw.fillRect(x(onset), high - drums + 3 + row * 9, Math.max(2, x(60) - x(0)), 7);
    else draw.fillRect(x(onset), y(pitch), Math.max(2, x(duration) - x(0) - 1), Math.max(step, 3));
  }
  draw.globalAlpha = 1;
  if (position !== null) line(draw, ink("accent"), x(position), 0, x(position), high, 2);
}

function line(draw, colour, fromX, fromY, toX, toY, width = 1) {
  draw.strokeStyle = colour;
  draw.lineWidth = width;
  draw.beginPath();
  draw.moveTo(fromX, fromY);
  draw.lineTo(toX, toY);
  draw.stroke();
}
