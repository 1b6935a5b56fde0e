/** Every page in both themes: no accessibility violation, and it fits a small phone. */
import { expect, test } from "@playwright/test";
import { expectNoSidewaysScroll, look, testInEveryLook } from "../support/looks";
import { expectChoice, makeProfile } from "../support/person";

testInEveryLook("the main job", [360, 1440], async (looks, browser) => {
  const context = await browser.newContext(looks);
  const page = await context.newPage();
  await page.goto("/");
  await expectChoice(page, 1);
  await look(page);
  for (let made = 1; made <= 4; made += 1) {
    await expectChoice(page, made);
    await page.keyboard.press("ArrowLeft");
  }
  await expect(page.locator("blockquote")).not.toBeEmpty({ timeout: 60_000 });
  await look(page);
  await page.getByLabel("Name", { exact: true }).fill("A name of the most letters one may have, or nearly so");
  await page.getByRole("button", { name: "Save profile" }).click();
  await expect(page.getByText(/^0 \/ \d+$/)).toBeVisible();
  await look(page);
  await page.getByRole("button", { name: "Generate", exact: true }).click();
  await expect(page.locator("#prompt-error")).not.toBeEmpty();
  await look(page);
  await page.getByLabel("Prompt", { exact: true }).fill("a red apple");
  await page.getByRole("button", { name: "Generate", exact: true }).click();
  await expectNoSidewaysScroll(page);
  await expect(page.getByRole("link", { name: "Download" })).toBeVisible({ timeout: 60_000 });
  await look(page);
  await page.getByRole("link", { name: "Profiles" }).click();
  await expect(page.getByRole("link", { name: "Draw with it" })).toBeVisible();
  await look(page);
  await page.goto("/nowhere");
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await look(page);
  await context.close();
});

test("the chosen theme is remembered", async ({ page }) => {
  await page.emulateMedia({ colorScheme: "light" });
  await page.goto("/profiles");
  await page.getByRole("button", { name: "Switch to the dark theme" }).click();
  await expect(page.getByRole("button", { name: "Switch to the light theme" })).toBeVisible();
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await expect(page.getByRole("button", { name: "Switch to the light theme" })).toBeVisible();
});

test("the page moves focus to the new page's heading", async ({ page }) => {
  await makeProfile(page, "Focus");
  await page.getByRole("link", { name: "Profiles" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Your profiles" })).toBeFocused();
});
