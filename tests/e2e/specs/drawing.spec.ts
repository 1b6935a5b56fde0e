/** What can happen while a picture is drawn. */
import { expect, test } from "@playwright/test";
import { startLongDrawing } from "../support/person";

test("cancelling stops the drawing and leaves the form ready", async ({ page }) => {
  await startLongDrawing(page, "a blue fish");
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(page.getByText("Cancelled. Change the prompt or generate again.").first()).toBeVisible();
  await expect(page.getByRole("link", { name: "Download" })).toHaveCount(0);
  await expect(page.getByRole("button", { name: "Generate", exact: true })).toHaveAttribute("aria-disabled", "false");
});

test("a reload during a drawing goes on with it", async ({ page }) => {
  test.slow();
  await startLongDrawing(page, "a green frog");
  await page.reload();
  await expect(page.getByLabel("Prompt", { exact: true })).toHaveValue("a green frog");
  await expect(page.getByRole("link", { name: /^Download/ }).first()).toBeVisible({ timeout: 120_000 });
  await expect(page.getByRole("img", { name: "a green frog", exact: true }).first()).toBeVisible();
});

test("a lost stream is said, and the picture still arrives", async ({ page, context }) => {
  await page.goto("/create");
  // The first stream breaks off at once; the browser's next try goes through.
  let streams = 0;
  await context.route("**/events", (route) => {
    streams += 1;
    return streams === 1 ? route.abort("connectionreset") : route.continue();
  });
  await page.getByLabel("Prompt", { exact: true }).fill("a yellow star");
  await page.getByRole("button", { name: "Generate", exact: true }).click();
  await expect(page.getByRole("link", { name: "Download" })).toBeVisible({ timeout: 60_000 });
  expect(streams).toBeGreaterThan(1);
});

test("without a profile the base model draws", async ({ page }) => {
  await page.goto("/create");
  await expect(page.getByLabel("Profile", { exact: true }).locator("option:checked")).toHaveText("No profile");
  await page.getByLabel("Prompt", { exact: true }).fill("a house");
  await page.getByRole("button", { name: "Generate", exact: true }).click();
  await expect(page.getByRole("link", { name: "Download" })).toBeVisible({ timeout: 60_000 });
});
