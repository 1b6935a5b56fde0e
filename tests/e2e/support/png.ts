/** The text chunks (tEXt and uncompressed or compressed iTXt) of a PNG, by keyword. */
import { inflateSync } from "node:zlib";

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

export function pngTexts(png: Buffer): Map<string, string> {
  if (!png.subarray(0, 8).equals(SIGNATURE)) throw new Error("this is no PNG");
  const texts = new Map<string, string>();
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const kind = png.toString("latin1", at + 4, at + 8);
    const data = png.subarray(at + 8, at + 8 + length);
    if (kind === "tEXt") {
      const end = data.indexOf(0);
      texts.set(data.toString("latin1", 0, end), data.toString("latin1", end + 1));
    } else if (kind === "iTXt") {
      const end = data.indexOf(0);
      const compressed = data[end + 1] === 1;
      const language = data.indexOf(0, end + 3);
      const body = data.subarray(data.indexOf(0, language + 1) + 1);
      texts.set(data.toString("latin1", 0, end), (compressed ? inflateSync(body) : body).toString("utf8"));
    }
    at += 12 + length;
  }
  return texts;
}

/** Width and height in pixels, from the header chunk. */
export function pngSize(png: Buffer): { width: number; height: number } {
  return { width: png.readUInt32BE(16), height: png.readUInt32BE(20) };
}
