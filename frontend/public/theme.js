// Runs before the first paint, so that a remembered theme never flashes the other one.
{
  const theme = localStorage.getItem("predilect-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}
