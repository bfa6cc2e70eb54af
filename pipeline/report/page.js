// The cut between two pictures follows the slider; what lies left of it follows the choice.
for (const compare of document.querySelectorAll(".compare")) {
  const left = compare.querySelector(".tag.left");
  const before = compare.querySelector(".before");
  const range = compare.querySelector("input[type=range]");
  const move = () => compare.style.setProperty("--cut", range.value / 100);
  range.addEventListener("input", move);
  for (const radio of compare.querySelectorAll("input[type=radio]")) {
    const choose = () => {
      if (!radio.checked) return;
      before.src = compare.querySelector("img." + radio.value).src;
      before.alt = compare.querySelector("img." + radio.value).alt;
      left.textContent = radio.dataset.name;
    };
    radio.addEventListener("change", choose);
    choose();
  }
  move();
}

// A strip holds an output frame beside the other; a panel shows one of them.
for (const player of document.querySelectorAll(".player")) {
  const count = Number(player.dataset.count);
  const range = player.querySelector("input[type=range]");
  const button = player.querySelector("button");
  const output = player.querySelector("output");
  for (const film of player.querySelectorAll("img[data-strip]")) {
    film.src = player.querySelector(`.panel.${film.dataset.strip} img`).src;
  }
  const show = () => {
    const frame = Number(range.value);
    for (const panel of player.querySelectorAll(".panel")) {
      const image = panel.querySelector("img");
      const at = Math.floor(frame * Number(panel.dataset.count) / count);
      image.style.transform = `translateX(${(-100 * at) / Number(panel.dataset.count)}%)`;
    }
    output.textContent = `output frame ${frame + 1} of ${count}`;
  };
  let timer = 0;
  const stop = () => { clearInterval(timer); timer = 0; button.textContent = "Play"; };
  const play = () => {
    timer = setInterval(() => { range.value = (Number(range.value) + 1) % count; show(); }, 120);
    button.textContent = "Pause";
  };
  button.addEventListener("click", () => (timer ? stop() : play()));
  range.addEventListener("input", () => { stop(); show(); });
  show();
}
