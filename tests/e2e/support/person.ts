/** What a person does on the page, in its own words. */
import { expect, type Page } from "@playwright/test";

/** Opens the first page and waits for its pair. */
export async function startChoosing(page: Page): Promise<void> {
  await page.goto("/");
  await expectChoice(page, 1);
}

/** The counter says so, and both pictures are really there. */
export async function expectChoice(page: Page, position: number): Promise<void> {
  await expect(page.getByText(`Choice ${position} of 4`, { exact: true })).toBeVisible();
  for (const side of [/^Left picture: /, /^Right picture: /]) {
    const picture = page.getByAltText(side);
    await expect(picture).toBeVisible();
    expect(await picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(0);
  }
}

/** Makes four choices and saves the profile they make; ends on the Create page. */
export async function makeProfile(page: Page, name: string): Promise<void> {
  await startChoosing(page);
  for (const [made, side] of ["Prefer left", "Prefer right", "Prefer left", "Prefer left"].entries()) {
    await expectChoice(page, made + 1);
    await page.getByRole("button", { name: side, exact: true }).click();
  }
  await expect(page.locator("blockquote")).not.toBeEmpty({ timeout: 60_000 });
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByRole("button", { name: "Save profile" }).click();
  await expect(page).toHaveURL(/\/create/);
}

/**
 * Asks for pictures that take a while, whatever the machine, opens the Create page and waits for a
 * preview of them.
 */
export async function startLongDrawing(page: Page, prompt: string): Promise<void> {
  await page.request.post("/api/v1/session");
  const { count, steps } = await (await page.request.get("/api/v1/model")).json();
  const long = { prompt, count: Math.min(2, count.max), steps: steps.max };
  const asked = await page.request.post("/api/v1/generations", { data: long });
  expect(asked.status(), await asked.text()).toBe(201);
  await page.goto("/create");
  await expect(page.getByAltText(`Preview: ${prompt}`).first()).toBeVisible({ timeout: 60_000 });
}

/**
 * Notes every preview and every line of progress from now on, however short it is shown;
 * the returned function says what was seen.
 */
export async function watchDrawing(page: Page): Promise<() => Promise<{ previews: string[]; words: string[] }>> {
  const seen = await page.evaluateHandle(() => {
    const previews = new Set<string>();
    const words = new Set<string>();
    new MutationObserver(() => {
      const preview = document.querySelector<HTMLImageElement>('img[alt^="Preview: "]');
      if (preview) previews.add(preview.src);
      words.add(document.querySelector(".easel-status")?.textContent ?? "");
    }).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
    return { previews, words };
  });
  return () => seen.evaluate(({ previews, words }) => ({ previews: [...previews], words: [...words] }));
}
