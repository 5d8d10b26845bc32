package flinkjobs.numbers;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The {@code --name value} pairs of a job's command line; an unknown or unpaired one is refused. */
public final class Arguments {

    private final Map<String, String> values = new LinkedHashMap<>();

    private Arguments() {}

    /** Reads {@code args}, of which only {@code known} names (without the dashes) are accepted. */
    public static Arguments of(String[] args, List<String> known, String... knownToo) {
        List<String> names = new ArrayList<>(known);
        Collections.addAll(names, knownToo);
        Arguments arguments = new Arguments();
        for (int i = 0; i < args.length; i += 2) {
            String name = args[i].startsWith("--") ? args[i].substring(2) : "";
            if (!names.contains(name)) {
                throw new IllegalArgumentException(
                        "Unknown argument '" + args[i] + "'; this job takes --"
                                + String.join(", --", names) + ", each followed by its value.");
            }
            if (i + 1 == args.length) {
                throw new IllegalArgumentException("Argument " + args[i] + " has no value.");
            }
            arguments.values.put(name, args[i + 1]);
        }
        return arguments;
    }

    public String required(String name) {
        String value = values.get(name);
        if (value == null) {
            throw new IllegalArgumentException("Argument --" + name + " is missing.");
        }
        return value;
    }

    public String optional(String name, String otherwise) {
        return values.getOrDefault(name, otherwise);
    }

    /** Returns a whole number that is at least {@code least}. */
    public long number(String name, long otherwise, long least) {
        String value = values.get(name);
        if (value == null) {
            return otherwise;
        }
        long number;
        try {
            number = Long.parseLong(value);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                    "Argument --" + name + " is '" + value + "', not a whole number.");
        }
        if (number < least) {
            throw new IllegalArgumentException(
                    "Argument --" + name + " is " + number + ", but must be at least " + least + ".");
        }
        return number;
    }
}
