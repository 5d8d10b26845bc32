// What pages do beyond what they do without any script: times in the viewer's zone, parts that are
// kept up to date, and the keyboard's place.
import { keepForms } from "./forms.js";
import { followParts } from "./live.js";
import { keepAges, localTimes } from "./times.js";

localTimes(document);
keepAges(document);
followParts(document);
keepForms(document);
document.querySelector("[data-focus]")?.focus();
