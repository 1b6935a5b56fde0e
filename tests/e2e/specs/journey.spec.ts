/** The main job: four choices become a profile, a prompt becomes a picture for it. */
import { readFile } from "node:fs/promises";
import { expect, test } from "@playwright/test";
import { expectChoice, startChoosing, watchDrawing } from "../support/person";
import { pngSize, pngTexts } from "../support/png";

test("four choices, a profile, a prompt, and the picture with its origin inside", async ({ page, request }) => {
  await startChoosing(page);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Which one do you like better?");

  await test.step("buttons and keys choose; ties and skips do not count", async () => {
    await page.getByRole("button", { name: "Prefer left", exact: true }).click();
    await expectChoice(page, 2);
    await page.keyboard.press("ArrowRight");
    await expectChoice(page, 3);
    const before = await page.getByAltText(/^Left picture: /).getAttribute("src");
    await page.getByRole("button", { name: "No preference", exact: true }).click();
    await expect(page.getByAltText(/^Left picture: /)).not.toHaveAttribute("src", before ?? "");
    await expectChoice(page, 3);
    const tied = await page.getByAltText(/^Left picture: /).getAttribute("src");
    await page.keyboard.press("ArrowDown");
    await expect(page.getByAltText(/^Left picture: /)).not.toHaveAttribute("src", tied ?? "");
    await expectChoice(page, 3);
  });

  await test.step("undo takes back, by button and by key", async () => {
    await page.keyboard.press("ArrowLeft");
    await expectChoice(page, 4);
    await page.getByRole("button", { name: "Undo" }).click();
    await expectChoice(page, 3);
    await page.keyboard.press("ArrowLeft");
    await expectChoice(page, 4);
    await page.keyboard.press("Backspace");
    await expectChoice(page, 3);
  });

  await test.step("the fourth choice brings the description and the form for a name", async () => {
    await page.keyboard.press("ArrowLeft");
    await expectChoice(page, 4);
    await page.getByRole("button", { name: "Prefer right", exact: true }).click();
    await expect(page.locator("blockquote")).not.toBeEmpty({ timeout: 60_000 });
    await page.getByLabel("Name", { exact: true }).fill("Mine");
    await page.getByRole("button", { name: "Save profile" }).click();
    await expect(page).toHaveURL(/\/create/);
  });

  await test.step("a picture comes into being step by step", async () => {
    await expect(page.getByLabel("Profile", { exact: true }).locator("option:checked")).toHaveText("Mine");
    await page.getByLabel("Prompt", { exact: true }).fill("a red apple");
    const slider = page.getByLabel("Strength", { exact: true });
    await expect(slider).toHaveValue("1");
    await slider.focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await expect(slider).toHaveValue("1.2");
    const seen = await watchDrawing(page);
    await page.getByRole("button", { name: "Generate", exact: true }).click();
    await expect(page.getByRole("link", { name: "Download" })).toBeVisible({ timeout: 60_000 });
    const { previews, words } = await seen();
    expect(previews.length, "distinct previews").toBeGreaterThan(1);
    for (const preview of previews) expect(preview).toMatch(/^data:image\//);
    const steps = words.filter((line) => /^Step \d+ of \d+ · (about \d+ (s|min) left|almost there)$/.test(line));
    expect(steps.length, "distinct steps said").toBeGreaterThan(1);
  });

  await test.step("the finished picture carries its origin", async () => {
    const picture = page.getByRole("img", { name: "a red apple", exact: true });
    await expect(picture).toBeVisible({ timeout: 60_000 });
    const downloading = page.waitForEvent("download");
    await page.getByRole("link", { name: "Download" }).click();
    const download = await downloading;
    expect(download.suggestedFilename()).toMatch(/a-red-apple-\d+\.png$/);
    const png = await readFile(await download.path());
    expect(pngSize(png)).toEqual({ width: 128, height: 128 });

    const { name, hash } = await (await request.get("/api/v1/model")).json();
    expect(name).toBeTruthy();
    const texts = pngTexts(png);
    expect(texts.get("prompt")).toBe("a red apple");
    expect(texts.get("seed")).toMatch(/^\d+$/);
    expect(Number(texts.get("steps"))).toBeGreaterThan(0);
    expect(Number(texts.get("guidance"))).toBeGreaterThanOrEqual(0);
    expect(texts.get("profile")).toBe("Mine");
    expect(Number(texts.get("strength"))).toBeCloseTo(1.2);
    expect(texts.get("model_hash")).toBe(hash);
  });

  await test.step("it is found again after a reload", async () => {
    await page.reload();
    await expect(page.getByRole("heading", { name: "Your pictures" })).toBeVisible();
    await page.getByRole("button", { name: "Show again: a red apple" }).click();
    await expect(page.getByRole("img", { name: "a red apple", exact: true })).toBeVisible();
    await expect(page.getByRole("link", { name: "Download" })).toBeVisible();
  });
});
