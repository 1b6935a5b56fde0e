/** What every page must look like, whatever it shows. */
import AxeBuilder from "@axe-core/playwright";
import { type Browser, expect, test, type Page } from "@playwright/test";

/** axe finds nothing against WCAG 2.2 AA. */
async function expectAccessible(page: Page): Promise<void> {
  const found = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]).analyze();
  expect(found.violations.map(({ id, nodes }) => ({ id, nodes: nodes.map((node) => node.html) }))).toEqual([]);
}

/** Nothing is wider than the window. */
export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(wider).toBeLessThanOrEqual(0);
}

/** A page as it stands: nothing that axe finds, nothing wider than the window. */
export async function look(page: Page): Promise<void> {
  await expectAccessible(page);
  await expectNoSidewaysScroll(page);
}

/** How a page is looked at. */
export interface Looks {
  colorScheme: "light" | "dark";
  reducedMotion: "reduce";
  viewport: { width: number; height: number };
}

/** One test for each theme and each of these widths in pixels, by the name of what is looked at. */
export function testInEveryLook(
  name: string,
  widths: number[],
  body: (looks: Looks, browser: Browser) => Promise<void>,
): void {
  for (const colorScheme of ["light", "dark"] as const) {
    for (const width of widths) {
      test(`${name}, ${colorScheme}, ${width} px wide`, async ({ browser }) => {
        await body({ colorScheme, reducedMotion: "reduce", viewport: { width, height: 800 } }, browser);
      });
    }
  }
}
