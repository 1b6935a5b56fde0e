/** Finding, opening, downloading and deleting finished pictures. */
import { readFileSync } from "node:fs";
import { expect, test, type APIRequestContext, type Locator, type Page } from "@playwright/test";
import { look, testInEveryLook } from "../support/looks";
import { makeProfile } from "../support/person";
import { pngTexts } from "../support/png";

/** Draws `count` pictures in one step each. */
async function draw(
  request: APIRequestContext,
  prompt: string,
  count: number,
  more: Record<string, unknown> = {},
): Promise<void> {
  const data = { prompt, count, steps: 1, seed: 7, ...more };
  const answer = await request.post("/api/v1/generations", { data });
  expect(answer.status(), await answer.text()).toBe(201);
  const { id } = await answer.json();
  const state = async () => (await (await request.get(`/api/v1/generations/${id}`)).json()).state;
  await expect.poll(state, { timeout: 90_000 }).toBe("done");
}

/** Opens the gallery of somebody who drew two foxes and, later, a dog. */
async function openGallery(page: Page): Promise<void> {
  await page.request.post("/api/v1/session");
  await draw(page.request, "a red fox", 2);
  await draw(page.request, "a dog", 1);
  await page.goto("/gallery");
  await expect(page.getByText("3 pictures", { exact: true })).toBeVisible();
}

function pictures(page: Page, name: string | RegExp): Locator {
  return page.getByRole("list", { name: "Pictures" }).getByRole("button", { name });
}

test("pictures are found by prompt, by profile and among favourites", async ({ page }) => {
  await openGallery(page);
  await page.getByRole("searchbox", { name: "Search" }).fill("FOX red");
  await expect(page.getByText("2 pictures", { exact: true })).toBeVisible();
  await expect(pictures(page, "a red fox")).toHaveCount(2);
  await expect(pictures(page, "a dog")).toHaveCount(0);
  await page.getByRole("searchbox", { name: "Search" }).fill("cat");
  await expect(page.getByText("No picture fits.")).toBeVisible();
  await page.getByRole("searchbox", { name: "Search" }).fill("");
  await page.getByLabel("Profile", { exact: true }).selectOption("No profile");
  await expect(page.getByText("3 pictures", { exact: true })).toBeVisible();

  await pictures(page, "a dog").click();
  await page.getByRole("button", { name: "Favourite", exact: true }).click();
  await expect(page.getByRole("button", { name: "Favourite", exact: true })).toHaveAttribute("aria-pressed", "true");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Favourites" }).click();
  await expect(page.getByText("1 picture", { exact: true })).toBeVisible();
  await expect(pictures(page, "a dog, favourite")).toBeVisible();
});

test("a picture shows how it was drawn, and is drawn again with its settings", async ({ page }) => {
  test.slow();
  await openGallery(page);
  await pictures(page, "a red fox").nth(1).click();
  const dialog = page.getByRole("dialog", { name: "a red fox" });
  const first = await (await page.request.get((await dialog.getByRole("img").getAttribute("src"))!)).body();
  await dialog.getByRole("link", { name: "Use these settings" }).click();
  await expect(page.getByLabel("Prompt", { exact: true })).toHaveValue("a red fox");
  await page.getByText("More settings").click();
  await expect(page.getByLabel("Seed", { exact: true })).toHaveValue("8");
  await expect(page.getByLabel("Keep the seed")).toBeChecked();
  await page.getByRole("button", { name: "Generate", exact: true }).click();
  const link = page.getByRole("link", { name: "Download" });
  await expect(link).toBeVisible({ timeout: 60_000 });
  const again = await (await page.request.get((await link.getAttribute("href"))!)).body();
  expect(again.equals(first)).toBe(true);
});

test("selected pictures come as one archive, and are deleted after a question", async ({ page }) => {
  await openGallery(page);
  await page.getByRole("checkbox", { name: "Select a red fox" }).first().check();
  await expect(page.getByText("1 picture selected")).toBeVisible();
  await page.getByRole("button", { name: "Select all" }).click();
  await expect(page.getByText("3 pictures selected")).toBeVisible();
  const downloading = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download ZIP" }).click();
  const download = await downloading;
  expect(download.suggestedFilename()).toBe("predilect-pictures.zip");
  const zip = readFileSync(await download.path());
  for (const name of ["predilect-a-red-fox-7.png", "predilect-a-red-fox-8.png", "predilect-a-dog-7.png"]) {
    expect(zip.includes(name)).toBe(true);
  }

  await page.getByRole("button", { name: "Select none" }).click();
  await page.getByRole("checkbox", { name: "Select a dog" }).check();
  await page.getByRole("button", { name: "Delete selected pictures" }).click();
  await expect(page.getByText(/^Delete 1 picture for good\?/)).toBeVisible();
  await page.getByRole("button", { name: "Keep them" }).click();
  await expect(pictures(page, "a dog")).toBeVisible();
  await page.getByRole("button", { name: "Delete selected pictures" }).click();
  await page.getByRole("button", { name: "Yes, delete" }).click();
  await expect(page.getByText("2 pictures", { exact: true })).toBeVisible();
  await expect(pictures(page, "a dog")).toHaveCount(0);
  await page.reload();
  await expect(page.getByText("2 pictures", { exact: true })).toBeVisible();
});

test("with Shift a click selects all since the last one", async ({ page }) => {
  await openGallery(page);
  const boxes = page.getByRole("checkbox", { name: /^Select / });
  await boxes.first().check();
  await boxes.last().click({ modifiers: ["Shift"] });
  await expect(page.getByText("3 pictures selected")).toBeVisible();
  for (const box of await boxes.all()) await expect(box).toBeChecked();
  // Once more: what is selected stays ticked.
  await boxes.first().click({ modifiers: ["Shift"] });
  await expect(boxes.first()).toBeChecked();
  await page.getByRole("button", { name: "Select none" }).click();
  await pictures(page, "a dog").click({ modifiers: ["Control"] });
  await expect(page.getByText("1 picture selected")).toBeVisible();
  await pictures(page, "a red fox").first().click({ modifiers: ["Shift"] });
  await expect(page.getByText("2 pictures selected")).toBeVisible();
  await expect(page.getByRole("dialog")).toHaveCount(0);
});

test("a picture whose profile was deleted is drawn again without it, and that is said", async ({ page }) => {
  test.slow();
  await makeProfile(page, "Fleeting");
  const { profiles } = await (await page.request.get("/api/v1/profiles")).json();
  await draw(page.request, "a red fox", 1, { profiles: [{ id: profiles[0].id, weight: 1 }] });
  expect((await page.request.delete(`/api/v1/profiles/${profiles[0].id}`)).ok()).toBe(true);
  await page.goto("/gallery");
  await pictures(page, "a red fox").click();
  await page.getByRole("link", { name: "Use these settings" }).click();
  await expect(page.getByText(/drawn for “Fleeting”, which is not there any more/)).toBeVisible();
  await expect(page.getByLabel("Profile", { exact: true }).locator("option:checked")).toHaveText("No profile");
  await page.getByRole("button", { name: "Generate", exact: true }).click();
  await expect(page.getByRole("link", { name: "Download" })).toBeVisible({ timeout: 60_000 });
});

test("the keyboard alone moves, selects, opens, downloads and deletes", async ({ page }) => {
  await openGallery(page);
  await pictures(page, "a dog").focus();
  await page.keyboard.press("ArrowRight");
  await expect(pictures(page, "a red fox").first()).toBeFocused();
  await page.keyboard.press("Space");
  await expect(page.getByText("1 picture selected")).toBeVisible();
  await page.keyboard.press("End");
  await expect(pictures(page, "a red fox").last()).toBeFocused();
  await page.keyboard.press("Shift+Space");
  await expect(page.getByText("2 pictures selected")).toBeVisible();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "a red fox" });
  await expect(dialog).toBeVisible();
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  await expect(page.getByRole("dialog", { name: "a dog" })).toBeVisible();
  const downloading = page.waitForEvent("download");
  await page.getByRole("dialog").getByRole("link", { name: "Download" }).focus();
  await page.keyboard.press("Enter");
  expect(pngTexts(readFileSync(await (await downloading).path())).get("prompt")).toBe("a dog");
  await page.getByRole("button", { name: "Delete this picture" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("button", { name: "Keep it" })).toBeFocused();
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(page.getByText("2 pictures", { exact: true })).toBeVisible();
});

test("ten thousand pictures scroll, and only those in sight are in the page", async ({ page }) => {
  await openGallery(page);
  // The server has three; the list of ten thousand repeats them.
  const { images } = await (await page.request.get("/api/v1/images")).json();
  const asked: number[] = [];
  await page.route(/\/api\/v1\/images\?/, async (route) => {
    const query = new URL(route.request().url()).searchParams;
    const [offset, limit] = [Number(query.get("offset")), Number(query.get("limit"))];
    asked.push(offset);
    const count = Math.max(0, Math.min(limit, 10_000 - offset));
    const shown = Array.from({ length: count }, (_, at) => ({
      ...images[(offset + at) % 3],
      prompt: `picture ${offset + at}`,
    }));
    await route.fulfill({ json: { images: shown, total: 10_000 } });
  });
  await page.reload();
  await expect(page.getByText("10000 pictures", { exact: true })).toBeVisible();
  const cells = page.getByRole("list", { name: "Pictures" }).getByRole("listitem");
  await expect(pictures(page, "picture 0")).toBeVisible();
  // NaN while nothing in the grid has the focus.
  const focusedPlace = () =>
    page.evaluate(() => Number((document.activeElement as HTMLElement | null)?.dataset.place));
  expect(await cells.count()).toBeLessThan(120);
  await pictures(page, "picture 0").focus();
  await page.keyboard.press("End");
  await expect(pictures(page, "picture 9999")).toBeFocused();
  expect(await cells.count()).toBeLessThan(120);
  await page.keyboard.press("Home");
  await expect(pictures(page, "picture 0")).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await expect.poll(focusedPlace).toBeGreaterThan(1);
  const columns = await focusedPlace();
  const rows = Array.from({ length: 25 }, (_, row) => row + 2);
  for (const [key, way] of [["ArrowDown", rows], ["ArrowUp", [...rows].reverse().map((row) => row - 1)]] as const) {
    for (const row of way) {
      await page.keyboard.press(key);
      await expect.poll(focusedPlace).toBe(row * columns);
    }
  }
  // How many there are while it scrolls through thousands of them.
  const most = await cells.first().evaluate(async (cell) => {
    const list = cell.parentElement!;
    let most = 0;
    for (let frame = 0; frame < 60; frame += 1) {
      window.scrollBy(0, -2000);
      await new Promise((next) => requestAnimationFrame(next));
      most = Math.max(most, list.childElementCount);
    }
    return most;
  });
  expect(most).toBeLessThan(120);
  await page.evaluate(() => window.scrollTo(0, 0));
  await expect(pictures(page, "picture 0")).toBeVisible();
  // What was loaded is kept, and what was passed in a rush is not all asked for.
  expect(new Set(asked).size).toBe(asked.length);
  expect(asked.length).toBeLessThan(10_000 / 60);
});

testInEveryLook("the gallery", [320, 1440], async (looks, browser) => {
  const context = await browser.newContext(looks);
  const page = await context.newPage();
  await page.goto("/gallery");
  await expect(page.getByText("You have no pictures yet.", { exact: false })).toBeVisible();
  await look(page);
  await openGallery(page);
  await page.getByRole("button", { name: "Select all" }).click();
  await page.getByRole("button", { name: "Delete selected pictures" }).click();
  await look(page);
  await pictures(page, "a dog").click();
  await expect(page.getByRole("dialog")).toBeVisible();
  await look(page);
  await page.getByRole("button", { name: "Delete this picture" }).click();
  await look(page);
  await context.close();
});
