// Update the preview and the code after every change. Without scripts, a button does so.
for (const form of document.querySelectorAll("form[data-embed]")) {
  let asked = 0;
  form.querySelector("[data-update]").hidden = true;
  for (const colour of form.querySelectorAll("[type=color]")) colour.addEventListener("input", () => { form.querySelector(`output[for=${colour.id}]`).value = colour.value; });
  form.addEventListener("change", async () => {
    const mine = (asked += 1);
    const address = `${location.pathname}?${new URLSearchParams(new FormData(form))}`;
    const found = await fetch(address).catch(() => undefined);
    if (!found?.ok || mine !== asked) return;
    const next = new DOMParser().parseFromString(await found.text(), "text/html");
    const [preview, code] = ["preview", "code"].map((id) => document.getElementById(id));
    preview.src = next.getElementById("preview").getAttribute("src");
    code.value = next.getElementById("code").value;
    history.replaceState(history.state, "", address);
  });
}
