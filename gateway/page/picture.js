/** Starts the self-contained picture: reads the terrain that the file carries and shows it. */

import { mountTerrain } from "./terrain.js";

const carried = JSON.parse(document.getElementById("terrain-data").textContent);
mountTerrain(document.getElementById("terrain"), carried);
