// Kinds of events, for drawing and filtering.

const KINDS = {
  said: ["UserUttered", "BotUttered", "AgentUttered", "TextAdded", "RefusalAdded", "MediaAdded"],
  reasoning: ["ReasoningAdded"],
  tool: ["ToolCalled", "ToolReturned"],
  understood: ["MessageUnderstood", "EntitiesAdded"],
  slots: ["SlotSet", "SlotsReset", "SlotsDeclared"],
  failure: ["BotFailed", "DeliveryFailed", "AnswerBrokenOff", "IncidentReported"],
  usage: ["AnswerMeasured"],
  session: ["SessionStarted", "SessionEnded", "SessionExpired", "ConversationRestarted", "ThreadStarted", "ThreadEnded"],
};

const KIND_OF = new Map(Object.entries(KINDS).flatMap(([kind, types]) => types.map((type) => [type, kind])));

export function kindOf({ type, to }) {
  return to === undefined ? KIND_OF.get(type) ?? "other" : "back";
}

export function fails(item) {
  return kindOf(item) === "failure" || Boolean(item.fields.is_error);
}

export const isUsers = ({ type, actor }) => type === "UserUttered" || (kindOf({ type }) === "said" && actor === "user");

/** Kinds that a reader can hide, with their labels. */
export const HIDEABLE = {
  understood: "Understood",
  slots: "Slots",
  tool: "Tools",
  reasoning: "Reasoning",
  usage: "Usage",
  session: "Sessions",
  other: "Others",
};
