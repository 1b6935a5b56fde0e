/** An account: made, left, come back to, changed and deleted, with all that belongs to it. */
import { readFile } from "node:fs/promises";
import { expect, test } from "@playwright/test";
import { logOut, part, PASSWORD, register, send } from "../support/account";
import { expectNoSidewaysScroll, look, testInEveryLook } from "../support/looks";
import { makeProfile } from "../support/person";

const NEW_PASSWORD = "another horse, another battery";

test("what was made before registering is there after logging in again", async ({ page }) => {
  await makeProfile(page, "From before");
  await page.getByRole("link", { name: "Account" }).click();
  await expect(page.getByText("You have no account, so everything you make here is kept for this browser only.", { exact: false })).toBeVisible();
  await send(page, "Register", "Ana", PASSWORD);
  await expect(page.getByText("You are registered. All that you made here is in your account.")).toBeVisible();
  await expect(page.getByRole("heading", { level: 1 })).toBeFocused();
  await page.getByRole("link", { name: "Profiles" }).click();
  await expect(page.getByRole("heading", { name: "From before" })).toBeVisible();

  await page.getByRole("link", { name: "Account" }).click();
  await logOut(page);
  await expect(page.getByRole("heading", { level: 1 })).toBeFocused();
  await page.getByRole("link", { name: "Profiles" }).click();
  await expect(page.getByText("You have no profile yet.", { exact: false })).toBeVisible();

  await page.getByRole("link", { name: "Account" }).click();
  await send(page, "Log in", "ana", PASSWORD);
  await expect(part(page, "Ana")).toBeVisible();
  await page.getByRole("link", { name: "Profiles" }).click();
  await expect(page.getByRole("heading", { name: "From before" })).toBeVisible();
});

test("faults are said where they arose, and the focus goes there", async ({ page }) => {
  await register(page, "Ben");
  await logOut(page);

  await send(page, "Register", "", "short");
  const name = part(page, "Register").getByLabel("Name", { exact: true });
  await expect(name).toHaveAttribute("aria-invalid", "true");
  await expect(name).toBeFocused();
  await expect(page.locator("#register-name-error")).toContainText("Name must have 1 to 60 characters");
  await expect(page.locator("#register-password-error")).toContainText("Password must have 8 to 200 characters");
  await name.fill("Ben");
  await expect(name).toHaveAttribute("aria-invalid", "false");

  await send(page, "Register", "BEN", PASSWORD);
  await expect(page.locator("#register-name-error")).toContainText("no account has yet");

  await send(page, "Log in", "Ben", "not the password");
  await expect(part(page, "Log in").getByRole("alert").filter({ hasText: /\w/ })).toContainText(
    "There is no account with this name and this password.",
  );
  await expect(part(page, "Log in").getByLabel("Name", { exact: true })).toHaveValue("Ben");
});

test("the password is changed, and every other device is logged out", async ({ page, browser }) => {
  await register(page, "Cleo");
  const elsewhere = await (await browser.newContext()).newPage();
  await elsewhere.goto("/account");
  await send(elsewhere, "Log in", "Cleo", PASSWORD);
  await expect(part(elsewhere, "Cleo")).toBeVisible();

  const form = part(page, "Change password");
  await form.getByLabel("Current password").fill("not the password");
  await form.getByLabel("New password").fill(NEW_PASSWORD);
  await form.getByRole("button", { name: "Change password" }).click();
  await expect(form.getByLabel("Current password")).toBeFocused();
  await expect(page.locator("#current-password-error")).toContainText("must be the password of your account");
  await form.getByLabel("Current password").fill(PASSWORD);
  await form.getByRole("button", { name: "Change password" }).click();
  await expect(form.getByRole("status")).toHaveText("Your password is changed.");
  await expect(form.getByLabel("New password")).toHaveValue("");

  await elsewhere.getByRole("button", { name: "Log out", exact: true }).click();
  await expect(elsewhere.getByText("You are not logged in here any more.", { exact: false })).toBeVisible();
  await elsewhere.reload();
  await send(elsewhere, "Log in", "Cleo", NEW_PASSWORD);
  await expect(part(elsewhere, "Cleo")).toBeVisible();

  await page.getByRole("button", { name: "Log out everywhere" }).click();
  await expect(page.getByText("You are logged out on every device.")).toBeVisible();
  await elsewhere.reload();
  await expect(part(elsewhere, "Log in")).toBeVisible();
});

test("a token is shown once, lets a script in, and is revoked", async ({ page, context, playwright, baseURL }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await register(page, "Dora");
  const tokens = part(page, "API tokens");
  await expect(tokens.getByText("You have no token.")).toBeVisible();
  await tokens.getByRole("button", { name: "Create token" }).click();
  await expect(page.locator("#token-name-error")).toContainText("Name of the new token must have 1 to 60 characters");
  await tokens.getByLabel("Name of the new token").fill("backup");
  await tokens.getByRole("button", { name: "Create token" }).click();
  const shown = tokens.getByLabel("Token “backup”");
  await expect(shown).toBeFocused();
  const token = await shown.inputValue();
  expect(token).toMatch(/^predilect_/);
  await tokens.getByRole("button", { name: "Copy" }).click();
  await expect(tokens.getByText("Copied.")).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(token);

  const script = await playwright.request.newContext({ baseURL, extraHTTPHeaders: { authorization: `Bearer ${token}` } });
  expect((await (await script.get("/api/v1/account")).json()).name).toBe("Dora");
  await page.reload();
  await expect(tokens.getByText(/last used on \d{4}-\d\d-\d\d/)).toBeVisible();
  expect(await page.content()).not.toContain(token);

  await tokens.getByRole("button", { name: "Revoke backup" }).click();
  await expect(tokens.getByRole("button", { name: "Keep it" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(tokens.getByRole("button", { name: "Revoke backup" })).toBeFocused();
  await page.keyboard.press("Enter");
  await tokens.getByRole("button", { name: "Yes, revoke" }).click();
  await expect(tokens.getByText("“backup” is revoked.")).toBeVisible();
  await expect(tokens.getByText("You have no token.")).toBeVisible();
  expect((await script.get("/api/v1/account")).status()).toBe(401);
});

test("everything can be downloaded, and then deleted", async ({ page }) => {
  await register(page, "Emil");
  const downloading = page.waitForEvent("download");
  await page.getByRole("link", { name: "Download my data" }).click();
  const download = await downloading;
  expect(download.suggestedFilename()).toBe("predilect-data.zip");
  const archive = await readFile(await download.path());
  expect(archive.subarray(0, 4).toString("latin1")).toBe("PK\u0003\u0004");

  await page.getByRole("button", { name: "Delete everything of mine" }).click();
  const password = part(page, "Delete everything").getByLabel("Password");
  await expect(password).toBeFocused();
  await page.getByRole("button", { name: "Keep everything" }).click();
  await expect(page.getByRole("button", { name: "Delete everything of mine" })).toBeFocused();
  await page.keyboard.press("Enter");
  await password.fill("not the password");
  await page.getByRole("button", { name: "Yes, delete everything" }).click();
  await expect(page.locator("#deletion-password-error")).toContainText("must be the password of your account");
  await password.fill(PASSWORD);
  await page.getByRole("button", { name: "Yes, delete everything" }).click();
  await expect(page.getByText("Your account and everything of yours is deleted.")).toBeVisible();
  await send(page, "Log in", "Emil", PASSWORD);
  await expect(page.getByText("There is no account with this name and this password.")).toBeVisible();
});

test("without an account, everything is deleted by a word", async ({ page }) => {
  await makeProfile(page, "Not for long");
  await page.getByRole("link", { name: "Account" }).click();
  await page.getByRole("button", { name: "Delete everything of mine" }).click();
  await page.keyboard.type("delet");
  await page.keyboard.press("Enter");
  await expect(page.locator("#deletion-confirm-error")).toContainText("Confirmation must be the word “delete”.");
  await page.keyboard.type("e");
  await page.keyboard.press("Enter");
  await expect(page.getByText("Everything of yours is deleted.")).toBeVisible();
  await page.getByRole("link", { name: "Profiles" }).click();
  await expect(page.getByText("You have no profile yet.", { exact: false })).toBeVisible();
});

test("a server that does not answer is said at what was tried", async ({ page, context }) => {
  await register(page, "Fay");
  await expect(part(page, "API tokens").getByText("You have no token.")).toBeVisible();
  await context.route("**/api/**", (route) => route.abort("connectionrefused"));
  for (const [where, what] of [
    ["Fay", page.getByRole("button", { name: "Log out", exact: true })],
    ["Change password", page.getByRole("button", { name: "Change password" })],
    ["Your data", page.getByRole("link", { name: "Download my data" })],
  ] as const) {
    await what.click();
    await expect(part(page, where).getByText(/Predilect does not answer\./)).toBeVisible();
  }
  await page.getByRole("link", { name: "Profiles" }).click();
  await page.getByRole("link", { name: "Account" }).click();
  await expect(page.getByText(/Predilect does not answer\./)).toBeVisible();
  await context.unroute("**/api/**");
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(part(page, "Fay")).toBeVisible();
});

test("by the keyboard alone", async ({ page }) => {
  await page.goto("/account");
  await expect(part(page, "Register")).toBeVisible();
  /** Goes on from field to field until the one is reached. */
  const tabTo = async (name: string) => {
    for (let steps = 0; steps < 40; steps += 1) {
      await page.keyboard.press("Tab");
      const reached = await page.evaluate(() => {
        const element = document.activeElement;
        return (element instanceof HTMLInputElement && element.labels?.[0]?.textContent) || element?.textContent;
      });
      if (reached === name) return;
    }
    throw new Error(`no way to “${name}” by Tab`);
  };
  await tabTo("Name");
  await page.keyboard.type("Gil");
  await tabTo("Password");
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await expect(part(page, "Gil")).toBeVisible();
  await expect(page.getByRole("heading", { level: 1 })).toBeFocused();

  await tabTo("Current password");
  await page.keyboard.type(PASSWORD);
  await tabTo("New password");
  await page.keyboard.type(NEW_PASSWORD);
  await page.keyboard.press("Enter");
  await expect(page.getByText("Your password is changed.")).toBeVisible();

  await tabTo("Delete everything of mine");
  await page.keyboard.press("Enter");
  await expect(part(page, "Delete everything").getByLabel("Password")).toBeFocused();
  await page.keyboard.type(NEW_PASSWORD);
  await page.keyboard.press("Enter");
  await expect(page.getByText("Your account and everything of yours is deleted.")).toBeVisible();
});

testInEveryLook("the account page", [320, 360, 1440], async (looks, browser) => {
  const context = await browser.newContext(looks);
  const page = await context.newPage();
  await page.goto("/account");
  await expect(part(page, "Register")).toBeVisible();
  await look(page);
  await send(page, "Register", "", "");
  await expect(page.locator("#register-name-error")).not.toBeEmpty();
  await page.getByRole("button", { name: "Delete everything of mine" }).click();
  await look(page);
  // The longest name there may be, in one word, and of the letters that are widest.
  const name = `${looks.colorScheme}${looks.viewport.width}`.padEnd(60, "W");
  await send(page, "Register", name, PASSWORD);
  await expect(part(page, name)).toBeVisible();
  await expectNoSidewaysScroll(page);
  await part(page, "API tokens").getByLabel("Name of the new token").fill("W".repeat(60));
  await page.getByRole("button", { name: "Create token" }).click();
  await expect(page.getByRole("button", { name: "Copy" })).toBeVisible();
  await page.getByRole("button", { name: /^Revoke W/ }).click();
  await look(page);
  await context.close();
});
