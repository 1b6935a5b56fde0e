/** Errors are said in words, where they arose. */
import { expect, test } from "@playwright/test";
import { expectChoice, startChoosing } from "../support/person";

test("an empty prompt is said at the prompt", async ({ page }) => {
  await page.goto("/create");
  await expect(page.getByText(/^0 \/ \d+$/)).toBeVisible();
  await page.getByRole("button", { name: "Generate", exact: true }).click();
  const prompt = page.getByLabel("Prompt", { exact: true });
  await expect(prompt).toHaveAttribute("aria-invalid", "true");
  await expect(page.locator("#prompt-error")).toContainText(/\w+ \w+/);
  await prompt.fill("a");
  await expect(prompt).toHaveAttribute("aria-invalid", "false");
});

test("an over-long prompt is said at the prompt", async ({ page }) => {
  await page.goto("/create");
  await page.getByLabel("Prompt", { exact: true }).fill("very ".repeat(2000));
  await page.getByRole("button", { name: "Generate", exact: true }).click();
  await expect(page.locator("#prompt-error")).toContainText(/\d+/);
});

test("a server that does not answer is said, and the work is not lost", async ({ page, context }) => {
  await page.goto("/create");
  await page.getByLabel("Prompt", { exact: true }).fill("a red apple");
  await context.route("**/api/**", (route) => route.abort("connectionrefused"));
  await page.getByRole("button", { name: "Generate", exact: true }).click();
  await expect(page.getByText(/Predilect does not answer\./)).toBeVisible();
  await expect(page.getByLabel("Prompt", { exact: true })).toHaveValue("a red apple");
});

test("a choice that is not stored does not count", async ({ page, context }) => {
  await startChoosing(page);
  await context.route("**/api/v1/choices", (route) => route.abort("connectionrefused"));
  await page.keyboard.press("ArrowLeft");
  await expect(page.getByText(/Predilect does not answer\./)).toBeVisible();
  await expectChoice(page, 1);
  await context.unroute("**/api/v1/choices");
  await page.keyboard.press("ArrowLeft");
  await expectChoice(page, 2);
  await expect(page.getByText(/Predilect does not answer\./)).toHaveCount(0);
});

test("a page opened while the server is down offers to try again", async ({ page, context }) => {
  await page.goto("/");
  await expectChoice(page, 1);
  await context.route("**/api/**", (route) => route.abort("connectionrefused"));
  await page.getByRole("link", { name: "Profiles" }).click();
  await expect(page.getByText(/Predilect does not answer\./)).toBeVisible();
  await context.unroute("**/api/**");
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByText("You have no profile yet.", { exact: false })).toBeVisible();
});

test("an address that leads nowhere says so", async ({ page }) => {
  await page.goto("/nowhere");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("There is nothing here");
  await page.getByRole("link", { name: "To the start" }).click();
  await expectChoice(page, 1);
});
