/** What can be done with a saved profile. */
import { expect, test } from "@playwright/test";
import { makeProfile } from "../support/person";

test("a profile is renamed, drawn with, and deleted", async ({ page }) => {
  await makeProfile(page, "First name");
  await page.getByRole("link", { name: "Profiles" }).click();
  await page.getByRole("button", { name: "Rename First name" }).click();
  await page.getByLabel("New name").fill("Second name");
  await page.getByRole("button", { name: "Save name" }).click();
  await expect(page.getByRole("heading", { name: "Second name" })).toBeVisible();

  await page.getByRole("link", { name: "Draw with it" }).click();
  await expect(page.getByLabel("Profile", { exact: true }).locator("option:checked")).toHaveText("Second name");

  await page.getByRole("link", { name: "Profiles" }).click();
  await page.getByRole("button", { name: "Delete Second name" }).click();
  await page.getByRole("button", { name: "Yes, delete" }).click();
  await expect(page.getByText("You have no profile yet.", { exact: false })).toBeVisible();
});

test("a name left empty is said at the name", async ({ page }) => {
  await page.goto("/");
  for (let made = 1; made <= 4; made += 1) {
    await expect(page.getByText(`Choice ${made} of 4`, { exact: true })).toBeVisible();
    await page.getByRole("button", { name: "Prefer right", exact: true }).click();
  }
  await page.getByRole("button", { name: "Save profile" }).click();
  const name = page.getByLabel("Name", { exact: true });
  await expect(name).toHaveAttribute("aria-invalid", "true");
  await expect(page.locator("#profile-name-error")).toContainText(/\w+ \w+/);
});
