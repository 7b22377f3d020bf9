// The words and small facts that synthetic tasks are made of; nothing here comes from the real bed.

export const WORDS: readonly string[] = (
  'lantern copper meadow gravel velvet harbor pigeon saddle walnut thunder ribbon glacier pepper anchor basket cedar dolphin ember feather ' +
  'goblet hammer island jacket kettle ladder mirror needle orchard parcel quarry rocket shovel temple umbrella violin window yogurt zipper ' +
  'brave clever distant eager fragile gentle hollow jolly keen loyal narrow odd polite quick rough silent tender urgent vivid weary ' +
  'arrive borrow carry decide escape follow gather happen invite juggle knock listen measure notice observe protect quarrel remain scatter travel'
).split(' ');

export const NAMES =
  'Ana Boris Chen Dalia Emil Farah Goran Hana Ivo Jamila Klaus Lena Marco Nadia Oskar Priya Rosa Stefan Tomoko Viktor'.split(' ');
export const CITIES =
  'Lyon Porto Krakow Osaka Quito Leeds Turin Ghent Malmo Izmir Perth Dakar Lima Austin Davao Basel Fez Split Tartu Cork'.split(' ');
export const NUMBER_WORDS =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(
    ' ',
  );
const MONTHS = 'January February March April May June July August September October November December'.split(' ');

/** `key value` pairs, comma-separated. */
function table(text: string): readonly (readonly [string, string])[] {
  return text.split(',').map((pair) => {
    const [key = '', value = ''] = pair.trim().split(':');
    return [key, value];
  });
}

/** Small facts: name of the relation's input and output, an instruction, and its table. */
export const FACTS: readonly {
  readonly input: string;
  readonly output: string;
  readonly order: string;
  readonly table: ReturnType<typeof table>;
}[] = [
  {
    input: 'Colour',
    output: 'Hex code',
    order: 'Give the hex code of the colour',
    table: table(
      'red:#FF0000,lime:#00FF00,blue:#0000FF,white:#FFFFFF,black:#000000,gray:#808080,yellow:#FFFF00,cyan:#00FFFF,magenta:#FF00FF,navy:#000080',
    ),
  },
  {
    input: 'Element',
    output: 'Symbol',
    order: 'Give the chemical symbol',
    table: table('hydrogen:H,helium:He,lithium:Li,carbon:C,oxygen:O,sodium:Na,iron:Fe,copper:Cu,silver:Ag,gold:Au,lead:Pb,neon:Ne'),
  },
  {
    input: 'Young animal',
    output: 'Parent',
    order: 'Name the parent animal',
    table: table('calf:cow,foal:horse,lamb:sheep,kid:goat,cub:bear,puppy:dog,kitten:cat,duckling:duck,tadpole:frog,gosling:goose'),
  },
  {
    input: 'Sound',
    output: 'Made by',
    order: 'Which animal makes this sound',
    table: table('bark:dog,meow:cat,moo:cow,oink:pig,neigh:horse,hiss:snake,roar:lion,quack:duck,buzz:bee,hoot:owl'),
  },
  {
    input: 'Shape',
    output: 'Sides',
    order: 'How many sides does it have',
    table: table('triangle:3,square:4,pentagon:5,hexagon:6,heptagon:7,octagon:8,nonagon:9,decagon:10,rectangle:4,rhombus:4'),
  },
  {
    input: 'Worker',
    output: 'Workplace',
    order: 'Where does this person work',
    table: table(
      'nurse:hospital,teacher:school,chef:kitchen,pilot:cockpit,judge:court,farmer:field,miner:mine,librarian:library,actor:stage,clerk:office',
    ),
  },
  {
    input: 'Tool',
    output: 'Used for',
    order: 'What is the tool used for',
    table: table(
      'saw:cutting,broom:sweeping,pen:writing,oven:baking,shovel:digging,brush:painting,needle:sewing,scale:weighing,ruler:measuring,iron:pressing',
    ),
  },
  {
    input: 'Month',
    output: 'Number',
    order: 'Give the number of the month',
    table: MONTHS.map((month, i) => [month, String(i + 1)] as const),
  },
  {
    input: 'Language',
    output: 'Spoken in',
    order: 'Name a country that speaks it',
    table: table(
      'Dutch:Netherlands,Polish:Poland,Thai:Thailand,Greek:Greece,Danish:Denmark,Finnish:Finland,Swahili:Kenya,Hindi:India,Korean:Korea,Czech:Czechia',
    ),
  },
  {
    input: 'City',
    output: 'Continent',
    order: 'On which continent does it lie',
    table: table(
      'Lyon:Europe,Osaka:Asia,Quito:South America,Dakar:Africa,Perth:Australia,Austin:North America,Lima:South America,Hanoi:Asia,Accra:Africa,Turin:Europe',
    ),
  },
  {
    input: 'Author',
    output: 'Book',
    order: 'Name a book by the author',
    table: table(
      'Orwell:1984,Tolstoy:War and Peace,Austen:Emma,Melville:Moby-Dick,Kafka:The Trial,Dante:Inferno,Homer:The Odyssey,Joyce:Ulysses,Hugo:Les Misérables,Goethe:Faust',
    ),
  },
  {
    input: 'Inventor',
    output: 'Invention',
    order: 'What did this person invent',
    table: table(
      'Bell:telephone,Nobel:dynamite,Edison:phonograph,Volta:battery,Gutenberg:printing press,Diesel:engine,Braille:reading system,Morse:telegraph code,Otis:lift brake,Benz:motor car',
    ),
  },
  {
    input: 'English',
    output: 'Italian',
    order: 'Translate to Italian',
    table: table(
      'house:casa,water:acqua,book:libro,sun:sole,bread:pane,friend:amico,night:notte,road:strada,fire:fuoco,hand:mano,milk:latte,tree:albero',
    ),
  },
  {
    input: 'English',
    output: 'Dutch',
    order: 'Translate to Dutch',
    table: table(
      'house:huis,water:water,book:boek,sun:zon,bread:brood,friend:vriend,night:nacht,road:weg,fire:vuur,hand:hand,milk:melk,tree:boom',
    ),
  },
  {
    input: 'English',
    output: 'Portuguese',
    order: 'Translate to Portuguese',
    table: table(
      'house:casa,water:água,book:livro,sun:sol,bread:pão,friend:amigo,night:noite,road:estrada,fire:fogo,hand:mão,milk:leite,tree:árvore',
    ),
  },
  {
    input: 'English',
    output: 'Swedish',
    order: 'Translate to Swedish',
    table: table(
      'house:hus,water:vatten,book:bok,sun:sol,bread:bröd,friend:vän,night:natt,road:väg,fire:eld,hand:hand,milk:mjölk,tree:träd',
    ),
  },
  {
    input: 'Latin',
    output: 'English',
    order: 'Translate from Latin',
    table: table(
      'aqua:water,terra:earth,ignis:fire,luna:moon,stella:star,rex:king,vita:life,mors:death,amor:love,pax:peace,lux:light,via:road',
    ),
  },
];

/** Sentences in classes: every class has beginnings, and any ending goes with any beginning. */
export const CLASSIFICATIONS: readonly {
  readonly input: string;
  readonly output: string;
  readonly order: string;
  readonly classes: Readonly<Record<string, readonly string[]>>;
  readonly endings: readonly string[];
}[] = [
  {
    input: 'Hotel review',
    output: 'Rating',
    order: 'Is the guest happy or not',
    classes: {
      happy: ['lovely rooms', 'the staff was wonderful', 'great breakfast'],
      unhappy: ['dirty sheets', 'rude reception', 'we could not sleep'],
    },
    endings: ['and close to the station.', 'during our stay in May.', 'for a family of four.'],
  },
  {
    input: 'E-mail',
    output: 'Spam',
    order: 'Is this mail spam',
    classes: {
      yes: ['You have won a prize', 'Cheap watches today', 'Claim your free gift'],
      no: ['The meeting moved to Monday', 'Please find the report attached', 'Thanks for your help'],
    },
    endings: [', see below.', '. Kind regards, Ana.', ', reply by Friday.'],
  },
  {
    input: 'Ticket',
    output: 'Team',
    order: 'Which team handles the ticket',
    classes: {
      billing: ['I was charged twice', 'My invoice is wrong'],
      technical: ['The app crashes at start', 'The login page is blank'],
      shipping: ['My parcel never came', 'The box arrived broken'],
    },
    endings: [' since Tuesday.', ', order 1182.', ' and nobody answers.'],
  },
  {
    input: 'Message',
    output: 'Urgency',
    order: 'How urgent is the message',
    classes: { high: ['The server is down', 'There is smoke in the hall'], low: ['The plant needs water', 'A chair squeaks'] },
    endings: [' on the second floor.', ' again.', ', says Marco.'],
  },
  {
    input: 'Text',
    output: 'Language',
    order: 'Name the language of the text',
    classes: {
      Spanish: ['el perro duerme en', 'la niña come en'],
      German: ['der Hund schläft in', 'das Kind isst in'],
      English: ['the dog sleeps in', 'the child eats in'],
    },
    endings: [' Lyon.', ' Quito.', ' Turin.'],
  },
  {
    input: 'Sentence',
    output: 'Tense',
    order: 'Name the tense of the sentence',
    classes: {
      past: ['She walked to', 'They drove to', 'He wrote to'],
      future: ['She will walk to', 'They will drive to', 'He will write to'],
    },
    endings: [' Leeds.', ' the old bridge.', ' his sister.'],
  },
  {
    input: 'Utterance',
    output: 'Intent',
    order: 'What does the speaker want',
    classes: {
      'set alarm': ['wake me at seven', 'alarm for six thirty'],
      'play music': ['play some jazz', 'put on the new album'],
      weather: ['will it rain', 'how warm is it'],
    },
    endings: [' tomorrow', ' please', ' at home'],
  },
  {
    input: 'Text',
    output: 'Register',
    order: 'Formal or informal',
    classes: { formal: ['We kindly request that you', 'You are hereby invited to'], informal: ['hey, gonna', 'yo just'] },
    endings: [' join the dinner.', ' send the form.', ' come by at noon.'],
  },
  {
    input: 'Statement',
    output: 'Feeling',
    order: 'Name the feeling',
    classes: {
      joy: ['I got the job', 'What a beautiful day'],
      anger: ['He broke my bike', 'They lied to us'],
      fear: ['I heard steps behind me', 'The ice is cracking'],
    },
    endings: ['!', ', I tell you.', ' this morning.'],
  },
  {
    input: 'Headline',
    output: 'Section',
    order: 'In which section is the headline printed',
    classes: {
      travel: ['Ten beaches to see', 'By train across Norway'],
      cooking: ['A soup for cold days', 'Bread without kneading'],
      law: ['Court rejects appeal', 'New rules for tenants'],
    },
    endings: [' this year', ', says expert', ': our guide'],
  },
  {
    input: 'Clause',
    output: 'Type',
    order: 'What kind of clause is this',
    classes: {
      termination: ['Either party may end this agreement', 'The contract ends'],
      payment: ['Fees are due', 'The client pays the sum'],
      secrecy: ['The parties shall not disclose', 'Information remains confidential'],
    },
    endings: [' within thirty days.', ' upon written notice.', ' without exception.'],
  },
  {
    input: 'Symptom',
    output: 'See',
    order: 'Which doctor should be seen',
    classes: {
      dentist: ['my molar aches', 'bleeding gums'],
      dermatologist: ['an itchy rash', 'a dark mole'],
      cardiologist: ['a racing heart', 'chest pressure'],
    },
    endings: [' for two weeks', ' at night', ' after meals'],
  },
];
