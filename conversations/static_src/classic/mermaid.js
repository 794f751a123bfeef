// For the frame that diagrams are drawn in: its origin is opaque, so it may not fetch modules, but classic scripts.
import mermaid from "mermaid";

globalThis.mermaid = mermaid;
