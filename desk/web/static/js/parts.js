// The parts of a kiosk: what they are called, and what it means to people where one of them does not work. The kiosk's own
// sentence is for whoever repairs it: it may name drivers and files, is English, and stands beneath.

import { t } from "./dom.js";

/** What a part of the kiosk is called. @param {string} part */
export function partName(part) {
  switch (part) {
    case "camera": return t("Camera");
    case "microphone": return t("Microphone");
    case "speaker": return t("Loudspeaker");
    case "display": return t("Display");
    case "button": case "buttons": return t("Buttons");
    case "lamp": return t("Lamp");
    case "disk": return t("Disk");
    case "book": return t("Memory of sessions");
    case "spool": return t("Files waiting for upload");
    case "network": return t("Network");
    case "clock": return t("Clock");
    case "desk": return t("Desk");
    case "broker": return t("Message broker");
    case "touch": return t("Touch");
    case "echo": return t("Echo cancelling");
    case "relay": return t("Relay");
    case "update": return t("Software update");
    case "kiosk": return t("Kiosk");
    default: return part;
  }
}

/** What it means that a part does not work, in the reader's language; "" for a part that this desk does not know. @param {string} part */
export function partTrouble(part) {
  switch (part) {
    case "camera": return t("Gives no picture. Check its cable.");
    case "microphone": return t("Nobody there is heard. Check that it is plugged in.");
    case "speaker": return t("Nobody is heard there. Check that it is plugged in.");
    case "display": return t("Nothing can be seen on it. Check its cable and its power.");
    case "button": case "buttons": return t("One does not answer or is stuck. Have it checked.");
    case "lamp": return t("Does not light up, so the camera may stay off.");
    case "disk": return t("Takes nothing. Calls go on, but nothing is recorded.");
    case "book": return t("Was damaged or takes nothing: sessions may be missing after a power cut.");
    case "spool": return t("Files are left there whose session is not known any more.");
    case "network": return t("Was away for a while.");
    case "clock": return t("The time is not known there yet.");
    case "desk": return t("The kiosk does not reach this desk.");
    case "broker": return t("The kiosk does not reach the message broker.");
    case "touch": return t("Does not react to touch. The buttons do.");
    case "echo": return t("Callers may hear themselves.");
    case "relay": return t("Calls through firewalls may fail.");
    case "update": return t("Is being installed. The kiosk is back by itself.");
    case "kiosk": return t("Is restarting.");
    default: return "";
  }
}
