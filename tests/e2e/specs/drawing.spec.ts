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

test("the settings of a downloaded picture are taken from its file", async ({ page }) => {
  test.slow();
  await page.request.post("/api/v1/session");
  const data = { prompt: "ein Käse", steps: 2, guidance: 3.5, seed: 11 };
  const { id } = await (await page.request.post("/api/v1/generations", { data })).json();
  const read = async () => (await page.request.get(`/api/v1/generations/${id}`)).json();
  await expect.poll(async () => (await read()).state, { timeout: 90_000 }).toBe("done");
  const picture = await (await page.request.get((await read()).images[0].url)).body();
  await page.goto("/create", { waitUntil: "networkidle" });
  await page.getByText("More settings").click();
  const expectSettings = async () => {
    await expect(page.getByLabel("Prompt", { exact: true })).toHaveValue("ein Käse");
    await expect(page.getByLabel("Seed", { exact: true })).toHaveValue("11");
    await expect(page.getByLabel("Keep the seed")).toBeChecked();
    await expect(page.getByLabel("Steps", { exact: true })).toHaveValue("2");
    await expect(page.getByLabel("Guidance", { exact: true })).toHaveValue("3.5");
  };

  const drop = (name: string, bytes: Buffer) =>
    page.getByRole("heading", { level: 1 }).evaluate(
      (place, [name, base64]) => {
        const dragged = new DataTransfer();
        const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
        dragged.items.add(new File([bytes], name, { type: "image/png" }));
        place.dispatchEvent(new DragEvent("drop", { dataTransfer: dragged, bubbles: true, cancelable: true }));
      },
      [name, bytes.toString("base64")] as const,
    );
  await drop("notes.png", Buffer.from("no picture"));
  await expect(page.getByText(/“notes\.png” doesn't say how it was drawn\./)).toBeVisible();
  await drop("fox.png", picture);
  await expectSettings();
  await expect(page.getByText(/doesn't say how it was drawn/)).toHaveCount(0);

  await page.reload({ waitUntil: "networkidle" });
  await page.getByText("More settings").click();
  await page.getByLabel("choose the file").setInputFiles({ name: "fox.png", mimeType: "image/png", buffer: picture });
  await expectSettings();
});

test("an earlier prompt is picked instead of typed again", async ({ page }) => {
  test.slow();
  await page.request.post("/api/v1/session");
  for (const prompt of ["a red apple", "a blue boat", "a red apple"]) {
    const data = { prompt, steps: 1 };
    expect((await page.request.post("/api/v1/generations", { data })).status()).toBe(201);
  }
  await page.goto("/create");
  await page.getByText("Earlier prompts").click();
  const prompts = page.getByRole("list", { name: "Earlier prompts" }).getByRole("button");
  await expect(prompts).toHaveText(["a red apple", "a blue boat"]);
  await prompts.last().click();
  await expect(page.getByLabel("Prompt", { exact: true })).toHaveValue("a blue boat");
  await expect(page.getByLabel("Prompt", { exact: true })).toBeFocused();
  await expect(prompts.last()).toBeHidden();
});

test("everything that is unfinished is cancelled at once", async ({ page }) => {
  await page.request.post("/api/v1/session");
  const { count, steps } = await (await page.request.get("/api/v1/model")).json();
  const data = { prompt: "a green tree", count: count.max, steps: steps.max };
  await page.request.post("/api/v1/generations", { data });
  await page.request.post("/api/v1/generations", { data });
  await page.goto("/create");
  await expect(page.getByText("Unfinished besides: 1 generation", { exact: true })).toBeVisible();
  await page.getByRole("button", { name: "Cancel all" }).click();
  await expect(page.getByText(/^Unfinished besides/)).toHaveCount(0);
  await expect(page.getByText("Cancelled. Change the prompt or generate again.").first()).toBeVisible();
  const { generations } = await (await page.request.get("/api/v1/generations")).json();
  expect(generations.map(({ state }: { state: string }) => state)).toEqual(["cancelled", "cancelled"]);
});
