/** What a person does on the Account page. */
import { expect, type Locator, type Page } from "@playwright/test";

export const PASSWORD = "correct horse battery";

/** One of the page's parts, by its heading. */
export function part(page: Page, name: string): Locator {
  return page.getByRole("region", { name, exact: true });
}

/** Fills the form "Register" or "Log in" and sends it. */
export async function send(page: Page, form: "Register" | "Log in", name: string, password: string): Promise<void> {
  await part(page, form).getByLabel("Name", { exact: true }).fill(name);
  await part(page, form).getByLabel("Password", { exact: true }).fill(password);
  await part(page, form).getByRole("button", { name: form, exact: true }).click();
}

/** Opens the page as somebody new and makes an account. */
export async function register(page: Page, name: string): Promise<void> {
  await page.goto("/account");
  await send(page, "Register", name, PASSWORD);
  await expect(part(page, name)).toBeVisible();
}

export async function logOut(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Log out", exact: true }).click();
  await expect(page.getByText("You are logged out.")).toBeVisible();
}
