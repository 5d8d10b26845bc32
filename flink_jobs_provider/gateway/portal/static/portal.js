// What pages do beyond what they do without any script: times in the viewer's zone, parts that are
// kept up to date, forms that are sent once, and the keyboard's place.
import { sendOnce } from "./forms.js";
import { followParts } from "./live.js";
import { keepAges, localTimes } from "./times.js";

localTimes(document);
keepAges(document);
followParts(document);
sendOnce(document);
document.querySelector("[data-focus]")?.focus();
