/** Errors are said in words, where they arose. */
import { type BrowserContext, expect, test } from "@playwright/test";
import { expectChoice, startChoosing } from "../support/person";

/** The server does what the next request to this address asks, and the answer gets lost. */
async function loseAnswer(context: BrowserContext, address: RegExp): Promise<void> {
  await context.route(
    address,
    async (route) => {
      await route.fetch();
      await route.abort("connectionreset");
    },
    { times: 1 },
  );
}

test("an empty prompt is said at the prompt", async ({ page }) => {
  await page.goto("/create");
  await expect(page.getByText(/^0 \/ \d+$/)).toBeVisible();
  await page.getByRole("button", { name: "Generate", exact: true }).click();
  const prompt = page.getByLabel("Prompt", { exact: true });
  await expect(prompt).toHaveAttribute("aria-invalid", "true");
  await expect(page.locator("#prompt-error")).toHaveText(/^Prompt must have 1 to \d+ characters, and has 0\.$/);
  await prompt.fill("a");
  await expect(prompt).toHaveAttribute("aria-invalid", "false");
});

test("an over-long prompt is said at the prompt", async ({ page }) => {
  await page.goto("/create");
  await page.getByLabel("Prompt", { exact: true }).fill("very ".repeat(2000));
  await page.getByRole("button", { name: "Generate", exact: true }).click();
  await expect(page.locator("#prompt-error")).toContainText(/\d+/);
});

test("a setting that is no number is said at its field, which opens", async ({ page }) => {
  await page.goto("/create");
  await page.getByLabel("Prompt", { exact: true }).fill("a house");
  await page.getByText("More settings").click();
  const steps = page.getByLabel("Steps", { exact: true });
  await steps.fill("1.5");
  await page.getByText("More settings").click();
  await expect(steps).toBeHidden();
  await page.getByRole("button", { name: "Generate", exact: true }).click();
  await expect(page.getByText("Steps must be a whole number.")).toBeVisible();
  await steps.fill("0");
  await page.getByRole("button", { name: "Generate", exact: true }).click();
  await expect(page.getByText(/^Steps must be a whole number from 1 to \d+, and is 0\.$/)).toBeVisible();
});

test("a server that does not answer is said, and the work is not lost", async ({ page, context }) => {
  // What the page asks for at its start has to be there: it would say the same sentence once more.
  await page.goto("/create", { waitUntil: "networkidle" });
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

test("a choice whose answer got lost is not asked for again", async ({ page, context }) => {
  await startChoosing(page);
  const left = page.getByAltText(/^Left picture: /);
  const first = (await left.getAttribute("src")) ?? "";
  await loseAnswer(context, /\/api\/v1\/choices$/);
  await page.keyboard.press("ArrowLeft");
  await expect(page.getByText(/Predilect does not answer\./)).toBeVisible();
  await page.keyboard.press("ArrowLeft");
  await expectChoice(page, 2);
  await expect(left).not.toHaveAttribute("src", first);
  await expect(page.getByText("is stored already", { exact: false })).toBeVisible();
  await expect(page.getByText("/api/", { exact: false })).toHaveCount(0);

  for (let made = 2; made <= 3; made += 1) {
    await page.keyboard.press("ArrowRight");
    await expectChoice(page, made + 1);
  }
  await expect(page.getByText("is stored already", { exact: false })).toHaveCount(0);
  await loseAnswer(context, /\/api\/v1\/choices$/);
  await page.keyboard.press("ArrowRight");
  await expect(page.getByText(/Predilect does not answer\./)).toBeVisible();
  await page.keyboard.press("ArrowRight");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("This is your taste");
});

test("an undo whose answer got lost takes back one choice", async ({ page, context }) => {
  await startChoosing(page);
  for (let made = 1; made <= 2; made += 1) {
    await page.keyboard.press("ArrowLeft");
    await expectChoice(page, made + 1);
  }
  await loseAnswer(context, /\/api\/v1\/choices\/last/);
  await page.keyboard.press("Backspace");
  await expect(page.getByText(/Predilect does not answer\./)).toBeVisible();
  await page.keyboard.press("Backspace");
  await expectChoice(page, 2);
  await expect(page.getByText(/Predilect does not answer\./)).toHaveCount(0);
  await page.keyboard.press("Backspace");
  await expectChoice(page, 1);
});

test("a skipped pair can be taken back after a reload, and another tab may be ahead", async ({ page, context }) => {
  await startChoosing(page);
  const left = page.getByAltText(/^Left picture: /);
  const first = (await left.getAttribute("src")) ?? "";
  await page.getByRole("button", { name: "Skip" }).click();
  await expect(left).not.toHaveAttribute("src", first);
  const second = (await left.getAttribute("src")) ?? "";
  await page.reload();
  await expectChoice(page, 1);
  const other = await context.newPage();
  await other.goto("/");
  await expectChoice(other, 1);
  const otherLeft = other.getByAltText(/^Left picture: /);
  await other.getByRole("button", { name: "Skip" }).click();
  await expect(otherLeft).not.toHaveAttribute("src", second);

  await page.getByRole("button", { name: "Undo" }).click();
  await expect(page.getByText("You went on with your choices elsewhere.", { exact: false })).toBeVisible();
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(left).toHaveAttribute("src", second);
  // What this one takes back is taken back already.
  await other.getByRole("button", { name: "Undo" }).click();
  await expect(otherLeft).toHaveAttribute("src", second);
  await other.close();
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(left).toHaveAttribute("src", first);
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
