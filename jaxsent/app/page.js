// Runs once as Gradio shows the component; `element` is its root.
const find = (selector) => element.querySelector(selector);
const [files, snapshot] = element.querySelectorAll("input[type=file]");
const limit = Number(files.dataset.limit);
const listed = (names) => names.split(", ").filter(Boolean);
const classes = listed(files.dataset.classes);
const ratings = listed(files.dataset.ratings), doubts = listed(files.dataset.doubts);
const video = find("video"), dialog = find("dialog"), list = find(".several ul");
let answers = []; // of this round: {name, html, said, error}
let round = 0;

function status(text, seen = true) {
  find(".status").textContent = text;
  find(".status").classList.toggle("quiet", !seen);
}
const percent = (share) => `${(100 * share).toFixed(1)}\u202f%`;

async function ask(photo) {
  if (photo.size > limit) return { error: `Expected at most ${files.dataset.megabytes} MB.` };
  try {
    const response = await fetch("predict", {
      method: "POST", headers: { Accept: "text/html" }, body: photo,
    });
    if (!response.ok) return { error: (await response.json()).error };
    const html = await response.text();
    const whole = new DOMParser().parseFromString(html, "text/html");
    return {
      html,
      said: JSON.parse(whole.querySelector(".answer").dataset.said),
      picture: whole.querySelector(".photo > img").src,
    };
  } catch {
    return { error: "The server does not answer. Does it still run?" };
  }
}

function show(answer) {
  const place = find(".said");
  place.innerHTML = answer.html ?? "";
  place.querySelector(".photo > img")?.setAttribute("alt", answer.name);
  for (const button of list.querySelectorAll("button"))
    button.setAttribute("aria-pressed", button === answer.card);
  if (answer.error) {
    const alert = document.createElement("p");
    alert.className = "error";
    alert.setAttribute("role", "alert");
    alert.textContent = `${answer.name}: ${answer.error}`;
    place.append(alert);
  }
}

function add(answer) {
  const item = document.createElement("li");
  const card = document.createElement("button");
  card.type = "button";
  card.disabled = Boolean(answer.error);
  if (answer.picture) {
    const image = document.createElement("img");
    image.src = answer.picture;
    image.alt = "";
    card.append(image);
  }
  const words = document.createElement("span");
  const label = document.createElement("b");
  label.textContent = answer.error
    ?? `${answer.said.label} ${percent(answer.said.probabilities[answer.said.label])}`;
  const name = document.createElement("small");
  const doubt = answer.said?.familiar === false ? "unlike its training, "
    : answer.said?.sure === false ? "not sure, " : "";
  name.textContent = `${doubt}${answer.name}`;
  words.append(label, name);
  card.append(words);
  card.addEventListener("click", () => {
    show(answer);
    find(".said").scrollIntoView({ behavior: "smooth" });
  });
  answer.card = card;
  item.append(card);
  list.append(item);
}

async function look(photos) {
  const mine = ++round;
  answers = [];
  list.replaceChildren();
  find(".said").replaceChildren();
  find(".several").hidden = photos.length < 2;
  for (const [i, photo] of photos.entries()) {
    const name = photo.name || "photograph";
    const count = photos.length > 1 ? `${i + 1} of ${photos.length}: ` : "";
    status(`Looking at ${count}${name} …`);
    find(".jaxsent").setAttribute("aria-busy", "true");
    const answer = { name, ...await ask(photo) };
    if (mine !== round) return; // newer photographs were dropped meanwhile
    answers.push(answer);
    if (photos.length > 1) add(answer);
    if (i === 0 || (answer.html && !answers.slice(0, i).some((a) => a.html))) show(answer);
  }
  find(".jaxsent").removeAttribute("aria-busy");
  const failed = answers.filter((a) => a.error).length;
  if (photos.length > 1) status(`${photos.length - failed} looked at, ${failed} refused.`);
  else if (failed) status("", false);
  else {
    const { label, probabilities } = answers[0].said;
    status(`${answers[0].name}: ${label}, ${percent(probabilities[label])}.`, false);
  }
}

function download() {
  const quote = (value) => `"${String(value ?? "").replaceAll('"', '""')}"`;
  const rows = answers.filter((a) => a.said).map(({ name, said }) => [
    quote(name), quote(said.label), quote(said.polarity),
    ...classes.map((c) => said.probabilities[c]), ...ratings.map((r) => said.ratings[r]),
    ...doubts.map((d) => said[d]), said.seconds,
  ]);
  const head = ["file", "label", "polarity", ...classes, ...ratings, ...doubts, "seconds"];
  const text = [head, ...rows].map((row) => row.join(",")).join("\r\n") + "\r\n";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = "jaxsent.csv";
  link.click();
  URL.revokeObjectURL(link.href);
}

async function openCamera() {
  if (!navigator.mediaDevices) return snapshot.click(); // a phone's own camera
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    dialog.showModal();
  } catch {
    status("There is no camera, or this page may not use it.");
  }
}

function shoot() {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((photo) => {
    dialog.close();
    look([new File([photo], "camera.jpg")]);
  }, "image/jpeg", 0.95);
}

const actions = {
  choose: () => files.click(),
  camera: openCamera,
  shoot,
  close: () => dialog.close(),
  csv: download,
};

element.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.do) actions[button.dataset.do]();
  if (button?.dataset.example) {
    const photo = await (await fetch(button.querySelector("img").src)).blob();
    look([new File([photo], button.dataset.example)]);
  }
});
element.addEventListener("change", (event) => {
  if (event.target.name === "map")
    for (const heat of element.querySelectorAll(".heat"))
      heat.hidden = heat.dataset.map !== event.target.value;
  if (event.target.type === "file" && event.target.files.length) {
    look([...event.target.files]);
    event.target.value = ""; // the same file may be chosen again
  }
});
element.addEventListener("input", (event) => {
  if (event.target.type === "range")
    find(".view").style.setProperty("--strength", event.target.value / 100);
});
dialog.addEventListener("close", () => {
  video.srcObject?.getTracks().forEach((track) => track.stop());
});
for (const kind of ["dragover", "dragleave", "drop"])
  document.addEventListener(kind, (event) => {
    event.preventDefault(); // the browser would open the file
    find(".drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files.length) look([...event.dataTransfer.files]);
  });
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) look([...event.clipboardData.files]);
});
find("[data-url]").textContent = new URL(".", location.href);
find("[data-do=camera]").hidden = !navigator.mediaDevices && !matchMedia("(pointer: coarse)").matches;
