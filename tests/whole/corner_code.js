"use strict";

/**
 * Reads the corner code of a simulated frame; the layout is written down in kiosk/hw/sim/corner_code.py.
 *
 * @param {ImageData | CanvasRenderingContext2D} source the whole picture as RGBA, or a 2D context to take it from
 * @param {number} width of the picture in px
 * @param {number} height of the picture in px
 * @returns {{number: number, timeMs: number} | null} null where there is no code, or a damaged one
 */
function readCornerCode(source, width, height) {
  const COLUMNS = 14;
  const ROWS = 4;
  const LEFT = [1, 0, 1, 0];
  const cellW = width / 80;
  const cellH = height / 45;
  const top = Math.max(0, Math.floor(height - ROWS * cellH));
  const isContext = typeof source.getImageData === "function";
  const strip = isContext
    ? source.getImageData(0, top, Math.ceil(COLUMNS * cellW), height - top)
    : source;
  const offset = isContext ? top : 0;

  /** The mean luma of the middle half of a cell. */
  function mean(row, column) {
    const y0 = Math.floor(height - (ROWS - row) * cellH + cellH / 4) - offset;
    const y1 = Math.max(y0 + 1, Math.floor(height - (ROWS - row) * cellH + cellH * 0.75) - offset);
    const x0 = Math.floor(column * cellW + cellW / 4);
    const x1 = Math.max(x0 + 1, Math.floor((column + 0.75) * cellW));
    let sum = 0;
    for (let y = y0; y < y1; y += 1) {
      for (let x = x0; x < x1; x += 1) {
        const i = 4 * (y * strip.width + x);
        sum += 0.299 * strip.data[i] + 0.587 * strip.data[i + 1] + 0.114 * strip.data[i + 2];
      }
    }
    return sum / ((y1 - y0) * (x1 - x0));
  }

  let darkestWhite = 255;
  let lightestBlack = 0;
  for (let row = 0; row < ROWS; row += 1) {
    for (const [column, white] of [[0, LEFT[row]], [COLUMNS - 1, 1 - LEFT[row]]]) {
      const level = mean(row, column);
      if (white) darkestWhite = Math.min(darkestWhite, level);
      else lightestBlack = Math.max(lightestBlack, level);
    }
  }
  if (darkestWhite - lightestBlack < 60) return null;

  const threshold = (darkestWhite + lightestBlack) / 2;
  const bytes = [0, 0, 0, 0, 0, 0];
  for (let bit = 0; bit < 48; bit += 1) {
    const white = mean(Math.floor(bit / 12), 1 + (bit % 12)) > threshold;
    if (white) bytes[bit >> 3] |= 0x80 >> (bit & 7);
  }

  let crc = 0;
  for (const byte of bytes.slice(0, 5)) {
    crc ^= byte;
    for (let i = 0; i < 8; i += 1) crc = crc & 0x80 ? ((crc << 1) ^ 0x107) & 0xff : crc << 1;
  }
  if (crc !== bytes[5]) return null;
  return { number: (bytes[0] << 8) | bytes[1], timeMs: (bytes[2] << 16) | (bytes[3] << 8) | bytes[4] };
}

if (typeof module !== "undefined") module.exports = { readCornerCode };
