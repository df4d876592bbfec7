/**
 * Which lane is served next: the highest rank, where a lane that waits gains one rank each time `ageing` deliveries went
 * to others. So no lane starves under any load: lane k of n is served within k × ageing + n choices, and the highest
 * lane still gets nearly all. Ageing counts deliveries, not time: after an outage everything is old, and that is when
 * the priority matters.
 */
export class LaneChoice {
  readonly #ageing: number;
  /** Deliveries that went to others while this lane waited. */
  readonly #passed: number[];

  constructor(lanes: number, ageing: number) {
    this.#ageing = ageing;
    this.#passed = new Array<number>(lanes).fill(0);
  }

  /** Index of the lane to serve, or -1 where none is waiting; it counts as served. */
  choose(isWaiting: (lane: number) => boolean): number {
    let best = -1;
    let bestScore = Number.POSITIVE_INFINITY;
    for (let lane = 0; lane < this.#passed.length; lane += 1) {
      if (!isWaiting(lane)) {
        this.#passed[lane] = 0;
        continue;
      }
      const score = lane * this.#ageing - (this.#passed[lane] ?? 0);
      if (score < bestScore) {
        best = lane;
        bestScore = score;
      }
    }
    for (let lane = 0; lane < this.#passed.length; lane += 1) {
      if (lane === best) this.#passed[lane] = 0;
      else if (isWaiting(lane)) this.#passed[lane] = (this.#passed[lane] ?? 0) + 1;
    }
    return best;
  }
}
