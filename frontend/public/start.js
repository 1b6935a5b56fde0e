import("{{module.js}}")
  .then((page) => page.default())
  .catch((error) => {
    console.error(error);
    const words = document.createElement("p");
    words.className = "start-failed";
    words.setAttribute("role", "alert");
    words.textContent =
      "Predilect could not start in this browser. Reload the page; if that does not help, use a current Firefox, Chrome, Edge or Safari.";
    document.body.replaceChildren(words);
  });
