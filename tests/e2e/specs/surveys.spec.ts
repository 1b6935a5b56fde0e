/** Win-rate surveys: participants vote blind, admins read what the votes say. */
import { readFile } from "node:fs/promises";
import { expect, test, type Page } from "@playwright/test";
import { look, testInEveryLook } from "../support/looks";
import { adminsBrowser, changeState, draftSurvey, expectItem, runningSurvey, vote } from "../support/survey";

/** The cells of a row of a table, without its header. */
async function cells(page: Page, table: string, row: string): Promise<string[]> {
  const found = page
    .getByRole("table", { name: table, exact: true })
    .getByRole("row")
    .filter({ has: page.getByRole("rowheader", { name: row, exact: true }) });
  return found.getByRole("cell").allInnerTexts();
}

async function downloaded(page: Page, link: string): Promise<string> {
  const downloading = page.waitForEvent("download");
  await page.getByRole("link", { name: link }).click();
  return readFile(await (await downloading).path(), "utf8");
}

const percent = (share: number) => `${(share * 100).toFixed(1)} %`;

test("an admin starts a survey, participants vote, and page, API and exports agree", async ({ browser }) => {
  const adminsContext = await adminsBrowser(browser);
  const survey = await draftSurvey(adminsContext.request, 3);
  const admin = await adminsContext.newPage();

  await test.step("the header leads to the survey, which is started in the page", async () => {
    await admin.goto("/");
    await admin.getByRole("link", { name: "Admin", exact: true }).click();
    await expect(admin.getByRole("heading", { level: 1, name: "Surveys" })).toBeFocused();
    await admin.getByRole("link", { name: survey.name, exact: true }).click();
    await expect(admin.getByRole("heading", { level: 1 })).toHaveText(survey.name);
    await expect(admin.getByText("0 of 100 votes · 3 items")).toBeVisible();
    await expect(admin.getByText("There are no votes to count yet.")).toBeVisible();
    await admin.getByRole("button", { name: "Start", exact: true }).click();
    await expect(admin.getByText("The survey is running.")).toBeAttached();
    await expect(admin.getByRole("region", { name: "State", exact: true })).toBeFocused();
  });

  const address = (await admin.getByRole("link", { name: `/surveys/${survey.id}` }).textContent()) ?? "";

  await test.step("one participant votes by keyboard alone", async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(address);
    await expect(page.getByText("Up to 50 votes today.", { exact: true })).toBeVisible();
    await vote(page, () => page.keyboard.press("ArrowLeft"));
    await expect(page.getByText("1 vote given, thank you; up to 49 more today.", { exact: true })).toBeVisible();
    await vote(page, () => page.keyboard.press("ArrowRight"));
    await vote(page, () => page.keyboard.press("ArrowLeft"));
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Thank you");
    await page.reload();
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Thank you");
    await context.close();
  });

  await test.step("another uses the buttons, and keeps the focus on the one they press", async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(address);
    await vote(page, () => page.getByRole("button", { name: "No difference", exact: true }).click());
    await vote(page, () => page.getByRole("button", { name: "Both bad", exact: true }).press("Enter"));
    await expect(page.getByRole("button", { name: "Both bad", exact: true })).toBeFocused();
    await vote(page, () => page.getByRole("button", { name: "Right", exact: true }).click());
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("Thank you");
    await context.close();
  });

  await test.step("the results in the page are those of the API and of the exports", async () => {
    await admin.getByRole("button", { name: "Count again" }).click();
    await expect(admin.getByText("Made of 6 votes by 2 participants.")).toBeVisible();
    const results = await (await admin.request.get(`/api/v1/admin/surveys/${survey.id}/results`)).json();

    const [header = "", ...lines] = (await downloaded(admin, "All votes as CSV")).trim().split("\n");
    const columns = header.split(",");
    const votes = lines.map((line) => {
      const values = line.split(",");
      return Object.fromEntries(columns.map((column, at) => [column, values[at] ?? ""]));
    });
    const rows = (await downloaded(admin, "All votes as JSONL")).trim().split("\n").map((line) => JSON.parse(line));
    expect([votes.length, rows.length]).toEqual([6, 6]);
    const won = (arm: string) => votes.filter(({ vote = "", [vote]: preferred }) => preferred === arm).length;

    for (const [arm, other] of [
      ["guided", "plain"],
      ["plain", "guided"],
    ] as const) {
      const row = `${arm} against ${other}`;
      expect(await cells(admin, "Votes", row)).toEqual([String(won(arm)), String(won(other)), "1", "1"]);
      const told = results.win_rates.find((rate: { arm: string; against: string }) => rate.arm === arm && rate.against === other);
      const half = told.ties_as_half;
      expect(half.rate).toBeCloseTo((won(arm) + 1) / 6);
      const [n, rate, wilson, bootstrap, more] = await cells(admin, "Win rate, ties as half a win", row);
      expect([n, rate]).toEqual(["6", percent(half.rate)]);
      expect(wilson).toBe(`${(half.wilson.low * 100).toFixed(1)} to ${percent(half.wilson.high)}`);
      expect(bootstrap).toBe(`${(half.bootstrap.low * 100).toFixed(1)} to ${percent(half.bootstrap.high)}`);
      expect(more).toBe(half.more_votes === null ? "can't be told at 50 %" : half.more_votes === 0 ? "excludes it" : String(half.more_votes));
      const [preferring, leftOut] = await cells(admin, "Win rate, ties left out", row);
      expect([preferring, leftOut]).toEqual(["4", percent(won(arm) / 4)]);
    }
    expect(await cells(admin, "Side bias", "Votes for the left picture")).toEqual(["2"]);
    await expect(admin.getByRole("img", { name: /^Win rate, ties as half a win, drawn/ })).toBeVisible();
  });

  await test.step("a prompt group's votes are looked at alone", async () => {
    await admin.getByLabel("Only this prompt group").fill("odd");
    await admin.getByLabel("Only this prompt group").press("Enter");
    await expect(admin.getByText("Made of 2 votes by 2 participants.")).toBeVisible();
  });

  await test.step("closing asks first, and is for good", async () => {
    await admin.getByRole("button", { name: `Close ${survey.name}` }).click();
    await admin.getByRole("button", { name: "Yes, close" }).click();
    await expect(admin.getByText("Nobody is asked any more.")).toBeVisible();
    await expect(admin.getByRole("button", { name: "Pause" })).toHaveCount(0);
  });
  await adminsContext.close();
});

test("a participant is told why they are not asked", async ({ browser, page }) => {
  const context = await adminsBrowser(browser);
  const heading = page.getByRole("heading", { level: 1 });
  await page.goto("/surveys/nowhere");
  await expect(heading).toHaveText("There is no survey here");

  const survey = await runningSurvey(context.request, 2, { daily_cap: 1 });
  await page.goto(`/surveys/${survey.id}`);
  await expect(page.getByText("This is the last one of today.", { exact: true })).toBeVisible();

  await test.step("a vote that is not stored does not count", async () => {
    await expectItem(page);
    await page.route("**/votes", (route) => route.abort("connectionrefused"));
    await page.keyboard.press("ArrowLeft");
    await expect(page.getByText(/Predilect does not answer\./)).toBeVisible();
    await expectItem(page);
    await page.unroute("**/votes");
  });

  await test.step("a day has its limit", async () => {
    await page.keyboard.press("ArrowUp");
    await expect(heading).toHaveText("Thank you");
    await expect(page.getByText(/^You have given as many votes as one may a day/)).toBeVisible();
  });

  await test.step("a paused survey takes no votes", async () => {
    await changeState(context.request, survey, "paused");
    await page.reload();
    await expect(heading).toHaveText("This survey takes no votes now");
  });

  await test.step("a page opened while the server is down offers to try again", async () => {
    await page.route("**/next", (route) => route.abort("connectionrefused"));
    await page.reload();
    await expect(page.getByText(/Predilect does not answer\./)).toBeVisible();
    await page.unroute("**/next");
    await page.getByRole("button", { name: "Try again" }).click();
    await expect(heading).toHaveText("This survey takes no votes now");
  });

  await test.step("some surveys ask people with an account", async () => {
    const registered = await runningSurvey(context.request, 1, { audience: "registered" });
    await page.goto(`/surveys/${registered.id}`);
    await expect(heading).toHaveText("This survey asks people with an account");
    await page.getByRole("link", { name: "To your account" }).click();
    await expect(page).toHaveURL(/\/account$/);
  });
  await context.close();
});

test("a survey is created in the page, and faults are said at their fields", async ({ browser }) => {
  const context = await adminsBrowser(browser);
  const page = await context.newPage();
  await page.goto("/admin/surveys");
  await page.getByLabel("Arm 1", { exact: true }).fill("guided");
  await page.getByLabel("Arm 2", { exact: true }).fill("guided");
  await page.getByLabel("Votes in all").fill("many");
  await page.getByRole("button", { name: "Create survey" }).click();
  await expect(page.getByLabel("Votes in all")).toBeFocused();
  await expect(page.getByText("Votes in all must be a whole number.")).toBeVisible();
  await page.getByLabel("Votes in all").fill("20");
  await page.getByRole("button", { name: "Create survey" }).click();
  await expect(page.getByLabel("Name", { exact: true })).toBeFocused();
  await expect(page.getByLabel("Arm 2", { exact: true })).toHaveAttribute("aria-invalid", "true");
  await page.getByLabel("Name", { exact: true }).fill("Made in the page");
  await page.getByLabel("Arm 2", { exact: true }).fill("plain");
  await page.getByRole("button", { name: "Add an arm" }).click();
  await page.getByLabel("Arm 3", { exact: true }).fill("third");
  await page.getByRole("button", { name: "Create survey" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Made in the page");
  await expect(page.getByText("0 of 20 votes · 0 items")).toBeVisible();
  await expect(page.getByRole("button", { name: "Start", exact: true })).toHaveCount(0);
  await context.close();
});

test("who is no admin sees a sentence and nothing else", async ({ page }) => {
  for (const address of ["/admin/surveys", "/admin/surveys/nowhere"]) {
    await page.goto(address);
    await expect(page.getByText("This page is for admins of this server.", { exact: false })).toBeVisible();
    await expect(page.locator("main").getByRole("button")).toHaveCount(0);
    await expect(page.locator("main").getByRole("table")).toHaveCount(0);
    await expect(page.getByRole("link", { name: "Admin", exact: true })).toHaveCount(0);
  }
});

testInEveryLook("the pages of surveys", [360, 1440], async (looks, browser) => {
  const adminsContext = await adminsBrowser(browser, looks);
  const survey = await runningSurvey(adminsContext.request, 2);
  const admin = await adminsContext.newPage();
  await admin.goto("/admin/surveys");
  await expect(admin.getByRole("link", { name: survey.name, exact: true })).toBeVisible();
  await expect(admin.getByRole("link", { name: "Admin", exact: true })).toBeVisible();
  await look(admin);

  const context = await browser.newContext(looks);
  const page = await context.newPage();
  await page.goto(`/surveys/${survey.id}`);
  await expectItem(page);
  await look(page);
  await vote(page, () => page.keyboard.press("ArrowLeft"));
  await vote(page, () => page.keyboard.press("ArrowRight"));
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Thank you");
  await look(page);

  await admin.goto(`/admin/surveys/${survey.id}`);
  await expect(admin.getByRole("table", { name: "Win rate, ties as half a win", exact: true })).toBeVisible();
  await look(admin);
  await context.close();
  await adminsContext.close();
});
