/** What an admin does for a survey before the page comes in. */
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  expect,
  type APIRequestContext,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Page,
} from "@playwright/test";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const program = process.env.PREDILECT_BIN ?? join(root, "target/release/predilect");
const PASSWORD = "correct horse battery";

/** A survey as the API answers it, as far as tests look. */
export interface Survey {
  id: string;
  name: string;
  state: string;
}

/** What the tests of a worker share: an admin's session, and two pictures they drew. */
let session: Awaited<ReturnType<BrowserContext["storageState"]>> | undefined;
let pictures: string[] | undefined;

/** A browser in which an admin is logged in. */
export async function adminsBrowser(browser: Browser, looks: BrowserContextOptions = {}): Promise<BrowserContext> {
  if (session) return browser.newContext({ ...looks, storageState: session });
  const name = `Admin ${randomUUID()}`;
  execFileSync(program, ["admin", "create", name], {
    input: `${PASSWORD}\n`,
    env: { ...process.env, PREDILECT_DATA_DIR: process.env.PREDILECT_E2E_DATA_DIR },
  });
  const context = await browser.newContext(looks);
  await post(context.request, "/session", undefined);
  await post(context.request, "/session/login", { name, password: PASSWORD });
  session = await context.storageState();
  return context;
}

/** A draft with as many items as asked. All are of the same two pictures, as drawing takes long. */
export async function draftSurvey(
  request: APIRequestContext,
  items: number,
  change: Record<string, unknown> = {},
): Promise<Survey> {
  const survey: Survey = await post(request, "/admin/surveys", {
    name: `Guidance ${randomUUID().slice(0, 8)}`,
    arms: ["guided", "plain"],
    audience: "everyone",
    target_votes: 100,
    attention_every: 0,
    ...change,
  });
  const [guided, plain] = (pictures ??= await drawTwo(request, "a dog"));
  for (let item = 0; item < items; item += 1) {
    await post(request, `/admin/surveys/${survey.id}/items`, {
      group: item % 2 === 0 ? "even" : "odd",
      pictures: [
        { arm: "guided", image: guided },
        { arm: "plain", image: plain },
      ],
    });
  }
  return survey;
}

/** A survey that takes votes. */
export async function runningSurvey(
  request: APIRequestContext,
  items: number,
  change: Record<string, unknown> = {},
): Promise<Survey> {
  const survey = await draftSurvey(request, items, change);
  await changeState(request, survey, "running");
  return survey;
}

export async function changeState(request: APIRequestContext, survey: Survey, state: string): Promise<void> {
  const answer = await request.patch(`/api/v1/admin/surveys/${survey.id}`, { data: { state } });
  expect(answer.ok(), await answer.text()).toBe(true);
}

/** An item is asked about, and both its pictures are really there. */
export async function expectItem(page: Page): Promise<void> {
  for (const side of [/^Left picture: /, /^Right picture: /]) {
    const picture = page.getByAltText(side);
    await expect(picture).toBeVisible();
    await expect
      .poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth))
      .toBeGreaterThan(0);
  }
}

/** Does what gives a vote, and waits until another item, or the end, takes its place. */
export async function vote(page: Page, give: () => Promise<void>): Promise<void> {
  await expectItem(page);
  const left = page.getByAltText(/^Left picture: /);
  const before = (await left.getAttribute("src")) ?? "";
  await give();
  await expect(page.locator(`img[src="${before}"]`)).toHaveCount(0);
}

async function drawTwo(request: APIRequestContext, prompt: string): Promise<string[]> {
  const { id } = await post(request, "/generations", { prompt, count: 2, steps: 1 });
  let images: { id: string }[] = [];
  await expect
    .poll(
      async () => {
        const generation = await (await request.get(`/api/v1/generations/${id}`)).json();
        images = generation.images;
        return generation.state;
      },
      { timeout: 90_000 },
    )
    .toBe("done");
  return images.map((image) => image.id);
}

async function post(request: APIRequestContext, path: string, data: unknown) {
  const answer = await request.post(`/api/v1${path}`, { data });
  expect(answer.ok(), `${path}: ${await answer.text()}`).toBe(true);
  return answer.json();
}
