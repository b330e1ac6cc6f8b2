/** Turns and zooms a view by hand: keyboard, pointer, wheel, two fingers. */

const TURN_STEP = 0.12;
const LONGEST_CLICK = 5;

/** Makes a TerrainView follow the keyboard, the pointer and the wheel. */
export function listenToHands(view) {
  const hands = new Hands(view);
  const { canvas } = view;
  canvas.addEventListener("keydown", (event) => hands.onKey(event));
  canvas.addEventListener("wheel", (event) => hands.onWheel(event), { passive: false });
  canvas.addEventListener("pointerdown", (event) => hands.onPress(event));
  canvas.addEventListener("pointermove", (event) => hands.onMove(event));
  canvas.addEventListener("pointerleave", () => view.handlers.onHover(null));
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, (event) => hands.onRelease(event));
  }
}

class Hands {
  constructor(view) {
    this.view = view;
    this.pointers = new Map();
    this.travelled = 0;
  }

  onKey(event) {
    const moves = {
      ArrowLeft: () => this.view.camera.turn(-TURN_STEP, 0),
      ArrowRight: () => this.view.camera.turn(TURN_STEP, 0),
      ArrowUp: () => this.view.camera.turn(0, TURN_STEP),
      ArrowDown: () => this.view.camera.turn(0, -TURN_STEP),
      "+": () => this.view.camera.zoomBy(1.2),
      "=": () => this.view.camera.zoomBy(1.2),
      "-": () => this.view.camera.zoomBy(1 / 1.2),
      Home: () => this.view.home(),
      Escape: () => this.view.handlers.onSelect(null),
    };
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    move();
    this.view.invalidate(true);
  }

  onWheel(event) {
    event.preventDefault();
    const { x, y } = this.place(event);
    const { clientWidth, clientHeight } = this.view.stage;
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 : 1;
    const factor = Math.exp(-Math.max(-240, Math.min(240, event.deltaY * lines)) * 0.0016);
    this.view.camera.zoomBy(factor, x - clientWidth / 2, y - clientHeight / 2);
    this.view.invalidate(true);
  }

  onPress(event) {
    this.view.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.place(event));
    this.travelled = 0;
  }

  onMove(event) {
    const before = this.pointers.get(event.pointerId);
    const now = this.place(event);
    if (!before) return this.view.handlers.onHover(this.view.hillUnder(now));
    const [dx, dy] = [now.x - before.x, now.y - before.y];
    this.travelled += Math.abs(dx) + Math.abs(dy);
    if (this.pointers.size === 2) this.pinch(event.pointerId, now);
    else if (event.shiftKey) this.view.camera.pan(dx, dy);
    else this.view.camera.turn(dx * 0.007, dy * 0.006);
    this.pointers.set(event.pointerId, now);
    this.view.invalidate(true);
  }

  onRelease(event) {
    const pressed = this.pointers.delete(event.pointerId);
    const clicked = pressed && event.type === "pointerup" && this.travelled < LONGEST_CLICK;
    if (clicked) this.view.handlers.onSelect(this.view.hillUnder(this.place(event)));
  }

  pinch(movedId, now) {
    const before = this.pointers.get(movedId);
    const [, other] = [...this.pointers].find(([id]) => id !== movedId);
    const spread = (point) => Math.hypot(point.x - other.x, point.y - other.y);
    const { clientWidth, clientHeight } = this.view.stage;
    const [x, y] = [(now.x + other.x - clientWidth) / 2, (now.y + other.y - clientHeight) / 2];
    this.view.camera.zoomBy(spread(now) / Math.max(1, spread(before)), x, y);
  }

  place(event) {
    const box = this.view.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }
}
