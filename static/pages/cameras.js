// The list of cameras stays as it is now: parts of the page are asked for again and exchanged.
import { refreshParts } from "./parts.js";

refreshParts(["head", "cards"]);
