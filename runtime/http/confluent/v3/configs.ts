// Configs of topics, of one broker, and of all brokers, v3.

import type { Context } from "hono";
import type { ConfigEntry, ConfigOperation, ConfigResource } from "../../../broker.ts";
import { type Door, pathParameter } from "../../route.ts";
import { noContent } from "../answer.ts";
import {
  fieldsOf,
  flagField,
  listField,
  onlyFields,
  requireBody,
  requiredText,
  textField,
} from "../body.ts";
import { unprocessable } from "../error.ts";
import { brokerIn } from "./clusters.ts";
import { answer, found, type Links, linksIn } from "./resource.ts";
import { topicIn } from "./topics.ts";

/** Whose configs a route is about. */
export interface Subject {
  readonly kind: string;
  readonly resource: ConfigResource;
  readonly path: readonly (string | number)[];
  readonly name: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export type SubjectIn = (door: Door, context: Context) => Subject;

export const topicSubject: SubjectIn = (door, context) => {
  const { name } = topicIn(door, context);
  return {
    kind: "KafkaTopicConfig",
    resource: { kind: "topic", name },
    path: ["topics", name, "configs"],
    name: `/topic=${name}`,
    fields: { topic_name: name },
  };
};

export const brokerSubject: SubjectIn = (door, context) => {
  const { id } = brokerIn(door, context);
  return {
    kind: "KafkaBrokerConfig",
    resource: { kind: "broker", broker: id },
    path: ["brokers", id, "configs"],
    name: `/broker=${id}`,
    fields: { broker_id: id },
  };
};

export const clusterSubject: SubjectIn = () => ({
  kind: "KafkaClusterConfig",
  resource: { kind: "broker", broker: null },
  path: ["broker-configs"],
  name: "",
  fields: { config_type: "BROKER" },
});

export async function listConfigs(
  door: Door,
  context: Context,
  subjectIn: SubjectIn,
): Promise<Response> {
  const links = linksIn(door, context);
  const subject = subjectIn(door, context);
  const entries = await door.broker.describeConfigs(subject.resource, null);
  const data = entries.map((each) => configJson(links, subject, each));
  return links.list(`${subject.kind}List`, subject.path, data);
}

export async function getConfig(
  door: Door,
  context: Context,
  subjectIn: SubjectIn,
): Promise<Response> {
  const links = linksIn(door, context);
  const subject = subjectIn(door, context);
  const name = pathParameter(context, "name");
  const [entry] = await door.broker.describeConfigs(subject.resource, [name]);
  return answer(configJson(links, subject, found(entry, `config ${name}`)));
}

export async function setConfig(
  door: Door,
  context: Context,
  subjectIn: SubjectIn,
): Promise<Response> {
  linksIn(door, context);
  const { resource } = subjectIn(door, context);
  const body = await requireBody(door, context);
  onlyFields(body, "body", ["value"]);
  const operation = operationOf(pathParameter(context, "name"), textField(body, "value"));
  await door.broker.alterConfigs(resource, [operation], { validateOnly: false });
  return noContent();
}

export async function resetConfig(
  door: Door,
  context: Context,
  subjectIn: SubjectIn,
): Promise<Response> {
  linksIn(door, context);
  const { resource } = subjectIn(door, context);
  const operation = operationOf(pathParameter(context, "name"), undefined);
  await door.broker.alterConfigs(resource, [operation], { validateOnly: false });
  return noContent();
}

/** Some set, some back to their defaults; all or none. */
export async function alterConfigs(
  door: Door,
  context: Context,
  subjectIn: SubjectIn,
): Promise<Response> {
  linksIn(door, context);
  const { resource } = subjectIn(door, context);
  const body = await requireBody(door, context);
  onlyFields(body, "body", ["data", "validate_only"]);
  const list = listField(body, "data");
  if (list === undefined) throw unprocessable("data: missing");
  const operations = list.map((given, index): ConfigOperation => {
    const each = fieldsOf(given, `data[${index}]`);
    const operation = (textField(each, "operation") ?? "SET").toUpperCase();
    if (operation !== "SET" && operation !== "DELETE") {
      throw unprocessable(`data[${index}]: operation: SET or DELETE, not ${operation}`);
    }
    const value = operation === "DELETE" ? undefined : textField(each, "value");
    return operationOf(requiredText(each, "name"), value);
  });
  const validateOnly = flagField(body, "validate_only") ?? false;
  await door.broker.alterConfigs(resource, operations, { validateOnly });
  return noContent();
}

/** No value: the default's. */
function operationOf(name: string, value: string | undefined): ConfigOperation {
  return value === undefined ? { name, op: "delete" } : { name, op: "set", value };
}

function configJson(links: Links, subject: Subject, entry: ConfigEntry): unknown {
  const { name, value, source, sensitive, readOnly, synonyms } = entry;
  return links.resource(subject.kind, {
    path: [...subject.path, name],
    name: `${subject.name}/config=${name}`,
    fields: {
      ...subject.fields,
      name,
      value: sensitive ? null : value,
      is_default: source === "DEFAULT_CONFIG",
      is_read_only: readOnly,
      is_sensitive: sensitive,
      source,
      synonyms: sensitive ? [] : synonyms,
    },
  });
}
